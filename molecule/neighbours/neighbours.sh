#!/bin/bash
# What other people have on the host, with names that the lab would like to have.
set -eu

# A site of their own, on port 80.
echo 'their site' >/var/www/html/index.html
systemctl enable --now --quiet nginx.service

# A user and a service by the tracker's names, and files where the tracker goes.
useradd --create-home --shell /bin/bash opentracker
printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/opentracker.service
systemctl enable --now --quiet opentracker.service
echo 'their configuration' >/etc/opentracker.conf
mkdir -p /opt/opentracker/releases
echo 'their notes' >/opt/opentracker/notes

# Directories by the names of our defaults; Flood's, too, which is off.
for place in /srv/seedbed/portal/torrents /srv/seedbed/payload /srv/seedbed/leecher /opt/seedbed/flood; do
    mkdir -p "$place"
    echo 'theirs' >"$place/theirs.torrent"
done
chmod 2775 /srv/seedbed/portal /srv/seedbed/leecher
echo 'their page' >/srv/seedbed/portal/index.en.html

# Rules of their own.
nft add table inet theirs
nft add chain inet theirs input '{ type filter hook input priority 0; policy accept; }'
nft add rule inet theirs input tcp dport 9999 drop

# A daemon of their own, with a torrent of their own in somebody's home.
useradd --create-home ann
chmod 0755 /home/ann
mkdir /home/ann/films
head -c 300000 /dev/urandom >/home/ann/films/film.mkv
transmission-create --outfile /home/ann/film.torrent --tracker http://127.0.0.1:9/announce /home/ann/films/film.mkv >/dev/null
chown -R ann: /home/ann
python3 - <<'END'
import json
path = "/etc/transmission-daemon/settings.json"
settings = json.load(open(path))
settings.update({"rpc-authentication-required": False, "rpc-port": 9091, "speed-limit-up": 123, "download-dir": "/home/ann/films"})
json.dump(settings, open(path, "w"), indent=4)
END
systemctl enable --now --quiet transmission-daemon.service
until transmission-remote 9091 --list >/dev/null 2>&1; do sleep 0.2; done
transmission-remote 9091 --add /home/ann/film.torrent --download-dir /home/ann/films >/dev/null
until transmission-remote 9091 --torrent all --info | grep -q 'Percent Done: 100%'; do sleep 0.2; done
# Its exit writes the settings, which is when they look as they will again.
systemctl restart transmission-daemon.service

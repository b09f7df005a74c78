// Live numbers, search and copy buttons. Lists and links work without any of it.
'use strict';

const EVERY = 3000; // between two looks, in milliseconds
const GROUP = 50; // items asked for at once; the same groups on every page, so that the cache serves them all
const HISTORY = 60; // points of a trend line

const words = document.querySelector('#words').content.firstElementChild.dataset;
const items = [...document.querySelectorAll('.item')].map((element) => ({
  element,
  hash: element.id,
  kinds: element.dataset.kinds.split(' '),
  text: element.textContent.toLowerCase(),
  history: [],
  visible: false,
}));
const byElement = new Map(items.map((item) => [item.element, item]));
const groups = [];
for (let first = 0; first < items.length; first += GROUP) {
  const group = { items: items.slice(first, first + GROUP), asked: false };
  for (const item of group.items) item.group = group;
  groups.push(group);
}
const tiles = [...document.querySelectorAll('[data-tracker]')];
const seeders = [...document.querySelectorAll('[data-seeder]')];

// --- search and filter

const tools = document.querySelector('.tools');
const search = document.querySelector('#search');

const anyOf = (kind) => items.some((item) => item.kinds.includes(kind));

function narrow() {
  const wanted = search.value.trim().toLowerCase().split(/\s+/);
  // What is chosen in each of the filters; a box that is not checked chooses nothing.
  const kinds = [...new FormData(tools).values()].filter((kind) => kind !== 'all');
  let count = 0;
  for (const item of items) {
    const fits = wanted.every((word) => item.text.includes(word)) && kinds.every((kind) => item.kinds.includes(kind));
    item.element.hidden = !fits;
    count += fits;
  }
  document.querySelector('#count').textContent = count;
  document.querySelector('#none').hidden = count > 0 || items.length === 0;
}

tools.hidden = items.length === 0;
for (const radio of tools.querySelectorAll('[type=radio]')) {
  radio.parentElement.hidden = radio.value !== 'all' && !anyOf(radio.value);
}
tools.querySelector('.scripts').hidden = !anyOf('scripted');
for (const option of tools.querySelectorAll('option')) option.hidden = option.value !== 'all' && !anyOf(option.value);
tools.elements.hard.parentElement.hidden = !anyOf('hard');
tools.addEventListener('input', narrow);
tools.addEventListener('submit', (event) => event.preventDefault());

// --- copying

async function copy(text, button) {
  let done = true;
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else done = copyBySelection(text);
  } catch {
    done = copyBySelection(text);
  }
  document.querySelector('#said').textContent = done ? words.copied : words.failed;
  button.classList.toggle('done', done);
  setTimeout(() => {
    button.classList.remove('done');
    document.querySelector('#said').textContent = '';
  }, 1500);
}

// Browsers offer their clipboard to pages over HTTPS only; a lab is plain HTTP.
function copyBySelection(text) {
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'away';
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  return done;
}

// A button beside what it copies; both stay on one line.
function addButton(beside, text, label) {
  const button = document.querySelector('#copy').content.firstElementChild.cloneNode(true);
  button.setAttribute('aria-label', label);
  button.title = label;
  button.addEventListener('click', () => copy(text, button));
  const pair = Object.assign(document.createElement('span'), { className: 'pair' });
  beside.replaceWith(pair);
  pair.append(beside, button);
}

function addButtons(item) {
  const name = item.element.querySelector('h3').textContent;
  const [magnet, bare] = item.element.querySelectorAll('[href^="magnet:"]');
  if (magnet) {
    addButton(magnet, magnet.getAttribute('href'), `${words.magnet}: ${name}`);
    addButton(bare, bare.getAttribute('href'), `${words.bare}: ${name}`);
  }
  addButton(item.element.querySelector('code'), item.hash, `${words.hash}: ${name}`);
}

for (const code of document.querySelectorAll('footer code')) {
  addButton(code, code.textContent, `${words.copy}: ${code.textContent}`);
}

// --- live numbers

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const item = byElement.get(target);
    item.visible = isIntersecting;
    if (isIntersecting && !item.live) {
      // Only what was seen gets buttons and numbers: a thousand items open as fast as ten.
      addButtons(item);
      item.element.querySelector('.facts').after(document.querySelector('#live').content.cloneNode(true));
      item.live = item.element.querySelector('.live');
      // Nobody will ever tell numbers.
      item.live.hidden = tiles.length === 0;
      if (about) addInside(item);
    }
    if (isIntersecting) show(item);
  }
  // What comes into view for the first time is asked for at once, the rest in its turn.
  for (const group of groups.filter((one) => !one.asked && one.items.some((item) => item.visible))) lookAt(group);
});

// The tracker answers in bencode: i5e, 4:text, l...e, d...e. Texts are kept byte by byte.
function bdecode(text) {
  let at = 0;
  const until = (mark) => {
    const end = text.indexOf(mark, at);
    const part = text.slice(at, end);
    at = end + 1;
    return part;
  };
  const value = () => {
    const kind = text[at];
    if (kind === 'i') {
      at += 1;
      return Number(until('e'));
    }
    if (kind === 'l' || kind === 'd') {
      at += 1;
      const list = [];
      while (text[at] !== 'e') {
        if (at >= text.length) throw new Error('cut off');
        list.push(value());
      }
      at += 1;
      return kind === 'l' ? list : new Map(list.flatMap((key, i) => (i % 2 ? [] : [[key, list[i + 1]]])));
    }
    const length = Number(until(':'));
    if (!Number.isInteger(length)) throw new Error('not bencode');
    at += length;
    return text.slice(at - length, at);
  };
  return value();
}

const pairs = (hash) => hash.match(/../g);
const bytes = (hash) => pairs(hash).map((pair) => `%${pair}`).join('');

class NoAnswer extends Error {}

// An answer, or an error: NoAnswer when the portal reached nobody, any other when the portal itself is not reached.
async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(EVERY * 2) });
  if (!answer.ok) throw new NoAnswer(answer.status);
  return answer;
}

async function scrape(tracker, hashes) {
  const query = hashes.map((hash) => `info_hash=${bytes(hash)}`).join('&');
  const buffer = await (await ask(`live/${tracker}/scrape?${query}`)).arrayBuffer();
  return bdecode(String.fromCharCode(...new Uint8Array(buffer))).get('files');
}

// A torrent that a tracker does not know has no peers there; a tracker that does not answer tells nothing.
async function lookAt(group) {
  group.asked = true;
  const hashes = group.items.map((item) => item.hash);
  const answers = await Promise.allSettled(tiles.map((_, tracker) => scrape(tracker, hashes)));
  const known = answers.filter((answer) => answer.status === 'fulfilled').map((answer) => answer.value);
  for (const item of group.items) {
    const raw = pairs(item.hash).map((pair) => String.fromCharCode(parseInt(pair, 16))).join('');
    const of = (key) => Math.max(0, ...known.map((files) => files.get(raw)?.get(key) ?? 0));
    item.counts = known.length > 0 && ['complete', 'incomplete', 'downloaded'].map(of);
    if (item.counts) item.history = [...item.history, item.counts[0] + item.counts[1]].slice(-HISTORY);
    if (item.visible) show(item);
  }
}

function show({ live, counts, history, day }) {
  live.classList.toggle('unknown', !counts);
  live.querySelectorAll('dd').forEach((field, i) => {
    field.textContent = counts ? counts[i] : '–';
    field.classList.toggle('some', Boolean(counts && counts[i]));
  });
  // A day, as the collector remembers it, up to now; without it, what this page has seen.
  const known = day?.length > 1 ? [...day.slice(0, -1), counts ? counts[0] + counts[1] : day.at(-1)] : history;
  if (!known.length) return;
  // From the first look to the last, with room above the highest; where nobody asked the line goes straight on.
  const top = Math.max(...known, 1) * 1.2;
  const drawn = known.length > 1 ? known : [known[0], known[0]];
  const points = drawn.flatMap((peers, i) => (peers === null ? [] : [[(60 * i) / (drawn.length - 1), peers]]));
  if (!points.length) return;
  if (points[0][0] > 0) points.unshift([0, points[0][1]]);
  const line = points.map(([x, peers]) => `${x.toFixed(1)},${(19 - (18 * peers) / top).toFixed(1)}`).join(' ');
  live.querySelector('polyline').setAttribute('points', line);
  live.querySelector('polygon').setAttribute('points', `0,20 ${line} 60,20`);
}

function light(element, state) {
  const lamp = element.querySelector('.light');
  // Said again only when it changes: screen readers read it aloud.
  if (lamp.textContent !== words[state]) lamp.textContent = words[state];
  element.classList.toggle('up', state === 'up');
  element.classList.toggle('down', state !== 'up');
}

const why = (error) => (error instanceof NoAnswer ? 'down' : 'lost');

async function lookAtTracker(tile) {
  const places = { torrents: 'torrents > count_mutex', peers: 'peers > count', completed: 'completed > count' };
  let stats = null;
  try {
    const text = await (await ask(`live/${tile.dataset.tracker}/stats`)).text();
    stats = new DOMParser().parseFromString(text, 'text/xml');
    light(tile, 'up');
  } catch (error) {
    light(tile, why(error));
  }
  // No answer is no zero.
  for (const field of tile.querySelectorAll('dd')) {
    field.textContent = stats?.querySelector(places[field.dataset.of])?.textContent ?? '–';
  }
}

async function lookAtSeeder(seeder) {
  try {
    await ask(`live/seeders/${seeder.dataset.seeder}`);
    light(seeder, 'up');
  } catch (error) {
    light(seeder, why(error));
  }
}

// What the operator makes bad for a while. A file of the portal's own: where it cannot be read the tiles say so.
async function lookAtImpairments() {
  const { impairments } = await (await ask('impairments.json')).json();
  const lines = impairments
    .map((one) => ({ ...one, end: new Date(one.until) }))
    .filter(({ end }) => end > new Date())
    .map(({ host, impairment, words: numbers, end }) => {
      const time = end.toLocaleTimeString(document.documentElement.lang, { timeStyle: 'short' });
      return `${host}: ${impairment} (${numbers}) ${words.until} ${time}`;
    });
  const list = document.querySelector('#impairments');
  list.hidden = lines.length === 0;
  // Said again only when it changes: screen readers read it aloud.
  if (lines.join() === [...list.children].map((line) => line.textContent).join()) return;
  list.replaceChildren(...lines.map((line) => make('li', line)));
}

async function look() {
  if (document.visibilityState === 'visible') {
    await Promise.allSettled([
      lookAtImpairments(),
      ...groups.filter((group) => group.asked && group.items.some((item) => item.visible)).map(lookAt),
      ...tiles.map(lookAtTracker),
      ...seeders.map(lookAtSeeder),
    ]);
  }
  setTimeout(look, EVERY);
}

// --- inside: what the seeders' daemons tell of an item, as the collector has asked them last

const about = document.body.dataset.inside ? JSON.parse(document.body.dataset.inside) : null;
const make = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text, ...more });
const panels = new Map(); // items by their open panels
let verdicts = new Map();
let asked = 0;

function amount(bytes) {
  let [left, unit] = [bytes, 0];
  for (; left >= 1024 && unit < 4; unit += 1) left /= 1024;
  return `${unit && left < 100 ? left.toFixed(1) : Math.round(left)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}

// How long ago, or until, as one number.
function span(seconds) {
  const steps = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const [size, unit] = steps.find(([one]) => Math.abs(seconds) >= one) ?? steps[3];
  return `${Math.round(Math.abs(seconds) / size)} ${about[unit]}`;
}

const ago = (when) => (when ? `${span(Date.now() / 1000 - when)} ${about.ago}` : about.never);

function addInside(item) {
  const panel = make('details', '', { className: 'inside' });
  panel.append(make('summary', about.open, { className: 'button' }));
  item.panel = panel.appendChild(make('div', '', { className: 'told' }));
  item.element.append(panel);
  panel.addEventListener('toggle', () => {
    if (!panel.open) return void panels.delete(item);
    panels.set(item, panel);
    lookInside(item);
  });
}

async function lookInside(item) {
  try {
    const [told, now] = await Promise.all(
      [`state/items/${item.hash}.json`, 'state/now.json'].map(async (path) => (await ask(path)).json()),
    );
    if (!told.seeders) throw new NoAnswer(); // the collector has not asked yet
    asked = now.when;
    drawInside(item, told);
  } catch (error) {
    item.panel.replaceChildren(make('p', error instanceof NoAnswer ? about.wait : words.lost, { className: 'note' }));
    item.drawn = null;
  }
}

function drawInside(item, told) {
  const verdict = verdicts.get(item.hash);
  const drawn = JSON.stringify([told, verdict]);
  if (drawn !== item.drawn) {
    item.drawn = drawn;
    // What somebody has unfolded stays so.
    const open = new Set([...item.panel.querySelectorAll('details[open]')].map((one) => one.dataset.of));
    const parts = Object.entries(told.seeders).map(([name, torrent]) => drawSeeder(name, torrent));
    for (const name of told.silent) parts.push(make('p', `${name} ${about.silent}`, { className: 'note bad' }));
    if (!parts.length) parts.push(make('p', about.nobody, { className: 'note' }));
    if (verdict) parts.unshift(drawVerdict(verdict));
    item.panel.replaceChildren(...parts, make('p', '', { className: 'note asked' }));
    for (const one of item.panel.querySelectorAll('details')) one.open = open.has(one.dataset.of);
  }
  item.panel.querySelector('.asked').textContent = `${about.asked} ${ago(asked)}`;
}

function drawVerdict({ verdict, severity, cause, when }) {
  const line = make('p', '', { className: `verdict ${severity}` });
  line.append(make('b', `${about.doctor}: ${verdict}`), cause ? ` – ${cause} ` : ' ', make('span', ago(when)));
  return line;
}

function drawSeeder(name, torrent) {
  const part = make('section', '');
  const facts = make('dl', '', { className: 'inner' });
  const fact = (key, text) => {
    const pair = facts.appendChild(make('div', ''));
    pair.append(make('dt', about[key]), make('dd', text));
  };
  fact('state', torrent.error || (about[torrent.state] ?? torrent.state));
  fact('have', `${(100 * torrent.done).toFixed(torrent.done < 1 ? 1 : 0)} %`);
  fact('uploaded', amount(torrent.uploaded));
  fact('ratio', torrent.ratio < 0 ? '–' : torrent.ratio.toFixed(2));
  fact('rates', `↑ ${amount(torrent.up)}/s ↓ ${amount(torrent.down)}/s`);
  fact('peers', torrent.connected || about.none);
  part.append(make('h4', name), facts);
  part.append(rows(torrent.trackers.map((tracker) => [
    tracker.announce,
    `${about.announce} ${ago(tracker.last)}: ${tracker.result || '–'}`,
    tracker.next > Date.now() / 1000 ? `${about.next} ${span(tracker.next - Date.now() / 1000)}` : '',
  ])));
  part.append(rows(torrent.peers.map((peer) => [
    `${peer.address}:${peer.port}`,
    `${peer.client} ${peer.flags}`,
    `${Math.round(100 * peer.progress)} % ↑ ${amount(peer.up)}/s`,
  ])));
  if (torrent.pieces) part.append(pieceMap(torrent));
  part.append(fileList(name, torrent));
  return part;
}

function rows(lines) {
  const list = make('ul', '', { className: 'rows' });
  for (const line of lines) {
    const row = list.appendChild(make('li', ''));
    row.append(...line.map((text) => make('span', text)));
  }
  return list;
}

// One square for a piece, or for several where there are thousands: then as dark as the share of them that is there.
function pieceMap(torrent) {
  const bits = atob(torrent.pieces);
  const has = (piece) => (bits.charCodeAt(piece >> 3) >> (7 - (piece & 7))) & 1;
  const step = Math.ceil(torrent.piece_count / 2400);
  const squares = Math.ceil(torrent.piece_count / step);
  const across = Math.min(80, squares);
  const canvas = make('canvas', '', { className: 'map', width: across * 8, height: Math.ceil(squares / across) * 8 });
  const pen = canvas.getContext('2d');
  const style = getComputedStyle(document.documentElement);
  let there = 0;
  for (let square = 0; square < squares; square += 1) {
    let count = 0;
    const last = Math.min(torrent.piece_count, (square + 1) * step);
    for (let piece = square * step; piece < last; piece += 1) count += has(piece);
    there += count;
    pen.fillStyle = style.getPropertyValue(count ? '--green' : '--line');
    pen.globalAlpha = count ? 0.3 + (0.7 * count) / (last - square * step) : 1;
    pen.fillRect((square % across) * 8, Math.floor(square / across) * 8, 7, 7);
  }
  const figure = make('figure', '');
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `${about.pieces}: ${there} / ${torrent.piece_count}`);
  figure.append(canvas, make('figcaption', `${about.pieces}: ${there} / ${torrent.piece_count}`));
  return figure;
}

function fileList(name, { files, more_files: more }) {
  const box = make('details', '', { className: 'contents' });
  box.dataset.of = name;
  box.append(make('summary', `${about.files}: ${files.length + more}`));
  const lines = files.map((file) => [
    file.name,
    file.have < file.size ? `${amount(file.have)} / ${amount(file.size)}` : amount(file.size),
  ]);
  if (more) lines.push([`${about.more}: ${more}`]);
  box.append(rows(lines));
  return box;
}

// What the doctor has said last, and the peers of a day: seldom new, so seldom asked for.
async function lookBack() {
  if (document.visibilityState === 'visible') {
    const [history, told] = await Promise.allSettled(
      ['state/history.json', 'verdicts.json'].map(async (path) => (await ask(path)).json()),
    );
    if (told.status === 'fulfilled') {
      verdicts = new Map((told.value.verdicts ?? []).map((one) => [one.info_hash, one]));
    }
    if (history.status === 'fulfilled') {
      for (const item of items) {
        item.day = history.value.values?.[item.hash];
        if (item.visible) show(item);
      }
    }
  }
  setTimeout(lookBack, EVERY * 20);
}

async function lookInsideAll() {
  if (document.visibilityState === 'visible') await Promise.allSettled([...panels.keys()].map(lookInside));
  setTimeout(lookInsideAll, EVERY);
}

// --- testimony: what the scripted peers saw, as they tell it themselves; the browser's address shows which of it is ours

const SKEW = 2; // seconds that two looks overlap, so that nothing falls in between

class Seen {
  constructor(panel) {
    this.panel = panel;
    this.visits = new Map(); // by client and beginning
    this.since = 0;
    this.said = panel.appendChild(make('div', '', { className: 'seen' }));
  }

  async look() {
    const url = new URL(this.panel.dataset.testimony);
    url.searchParams.set('words', document.documentElement.lang);
    url.searchParams.set('since', this.since);
    let told = null;
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(EVERY * 2) });
      if (!answer.ok) return this.say(answer.status === 403 ? words.foreign : words.silent);
      told = await answer.json();
    } catch {
      return this.say(words.silent);
    }
    const known = new Set(told.clients.map(({ client }) => client));
    // Who is not told of any more was forgotten; a daemon that was started again has forgotten all.
    for (const [key, { client }] of this.visits) if (!known.has(client)) this.visits.delete(key);
    for (const { client, visits } of told.clients) {
      for (const visit of visits) this.visits.set(`${client} ${visit.began}`, { ...visit, client });
    }
    this.since = told.now - SKEW;
    this.show(told.you);
  }

  say(text) {
    this.drawn = null;
    this.since = 0;
    this.visits.clear();
    if (this.said.textContent !== text) this.said.replaceChildren(make('p', text, { className: 'note' }));
  }

  // Ours first, then the latest; drawn again only when there is something else to read.
  show(you) {
    if (!this.visits.size) return this.say(words.nobody);
    const order = [...this.visits.values()].sort(
      (a, b) => (b.client === you) - (a.client === you) || a.client.localeCompare(b.client) || b.began - a.began,
    );
    const drawn = JSON.stringify([you, order.map((visit) => [visit.client, visit.began, visit.words])]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.said.replaceChildren(...order.map((visit) => this.draw(visit, visit.client === you)));
  }

  draw(visit, ours) {
    const part = make('section', '', { className: ours ? 'ours' : '' });
    const began = new Date(visit.began * 1000);
    const head = make('h4', visit.client);
    if (ours) head.append(' ', make('span', words.you));
    head.append(make('time', `${words.visit} ${began.toLocaleTimeString(document.documentElement.lang)}`, {
      dateTime: began.toISOString(),
    }));
    const list = make('dl', '');
    for (const { about, text } of visit.words) list.append(make('dt', about), make('dd', text));
    part.append(head, visit.words.length ? list : make('p', words.idle, { className: 'note' }));
    return part;
  }
}

const seen = new Map();

async function lookAtSeen() {
  const open = [...seen].filter(([panel]) => panel.open && document.visibilityState === 'visible');
  await Promise.allSettled(open.map(([, one]) => one.look()));
  setTimeout(lookAtSeen, EVERY);
}

for (const panel of document.querySelectorAll('.saw')) {
  panel.addEventListener('toggle', () => {
    if (!panel.open) return;
    if (!seen.has(panel)) seen.set(panel, new Seen(panel));
    seen.get(panel).look();
  });
}

for (const item of items) observer.observe(item.element);
look();
lookAtSeen();
if (about) {
  lookBack();
  lookInsideAll();
}

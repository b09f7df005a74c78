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
for (let start = 0; start < items.length; start += GROUP) groups.push(items.slice(start, start + GROUP));
const tiles = [...document.querySelectorAll('[data-tracker]')];
const seeders = [...document.querySelectorAll('[data-seeder]')];

// --- search and filter

const tools = document.querySelector('.tools');
const search = document.querySelector('#search');

function narrow() {
  const wanted = search.value.trim().toLowerCase().split(/\s+/);
  const kind = tools.elements.kind.value;
  let count = 0;
  for (const item of items) {
    const fits = wanted.every((word) => item.text.includes(word)) && (kind === 'all' || item.kinds.includes(kind));
    item.element.hidden = !fits;
    count += fits;
  }
  document.querySelector('#count').textContent = count;
  document.querySelector('#none').hidden = count > 0 || items.length === 0;
}

tools.hidden = items.length === 0;
for (const radio of tools.querySelectorAll('[type=radio]')) {
  radio.parentElement.hidden = radio.value !== 'all' && !items.some((item) => item.kinds.includes(radio.value));
}
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

function addButtons(item) {
  const get = item.element.querySelector('.get');
  const [magnet, hash] = document.querySelector('#copy').content.cloneNode(true).children;
  const link = get.querySelector('[href^="magnet:"]');
  const code = get.querySelector('code');
  if (link) {
    magnet.addEventListener('click', () => copy(link.getAttribute('href'), magnet));
    get.querySelector('details').before(magnet);
  }
  hash.addEventListener('click', () => copy(item.hash, hash));
  code.after(hash);
}

for (const code of document.querySelectorAll('footer code')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'button copy';
  button.append(Object.assign(document.createElement('span'), { textContent: words.copy }));
  button.addEventListener('click', () => copy(code.textContent, button));
  code.after(button);
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
    }
  }
  start();
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

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(EVERY * 2) });
  if (!answer.ok) throw new Error(answer.status);
  return answer;
}

async function scrape(tracker, group) {
  const query = group.map((item) => `info_hash=${bytes(item.hash)}`).join('&');
  const buffer = await (await ask(`live/${tracker}/scrape?${query}`)).arrayBuffer();
  return bdecode(String.fromCharCode(...new Uint8Array(buffer))).get('files');
}

function showItem(item, counts) {
  const values = counts && [counts.complete, counts.incomplete, counts.downloaded];
  item.live.classList.toggle('unknown', !counts);
  item.live.querySelectorAll('dd').forEach((field, i) => {
    field.textContent = values ? values[i] : '–';
  });
  if (!counts) return;
  item.history = [...item.history, counts.complete + counts.incomplete].slice(-HISTORY);
  const top = Math.max(...item.history, 1);
  const first = HISTORY - item.history.length;
  const points = item.history.map((peers, i) => `${first + i + 1},${17 - (peers * 16) / top}`);
  item.live.querySelector('polyline').setAttribute('points', points.join(' '));
}

// A torrent that a tracker does not know has no peers there; a tracker that does not answer tells nothing.
async function lookAt(group) {
  const answers = await Promise.allSettled(tiles.map((_, tracker) => scrape(tracker, group)));
  const known = answers.filter((answer) => answer.status === 'fulfilled').map((answer) => answer.value);
  for (const item of group.filter((one) => one.live)) {
    const raw = pairs(item.hash).map((pair) => String.fromCharCode(parseInt(pair, 16))).join('');
    const of = (key) => Math.max(0, ...known.map((files) => files.get(raw)?.get(key) ?? 0));
    showItem(item, known.length > 0 && {
      complete: of('complete'), incomplete: of('incomplete'), downloaded: of('downloaded'),
    });
  }
}

function light(element, up) {
  const lamp = element.querySelector('.light');
  const text = up ? words.up : words.down;
  if (lamp.textContent !== text) lamp.textContent = text;
  element.classList.toggle('up', up);
  element.classList.toggle('down', !up);
}

async function lookAtTracker(tile) {
  const places = { torrents: 'torrents > count_mutex', peers: 'peers > count', completed: 'completed > count' };
  let stats = null;
  try {
    const text = await (await ask(`live/${tile.dataset.tracker}/stats`)).text();
    stats = new DOMParser().parseFromString(text, 'text/xml');
  } catch {
    // Said below: no answer is no zero.
  }
  for (const field of tile.querySelectorAll('dd')) {
    field.textContent = stats?.querySelector(places[field.dataset.of])?.textContent ?? '–';
  }
  light(tile, stats !== null);
}

async function lookAtSeeder(seeder) {
  try {
    await ask(`live/seeders/${seeder.dataset.seeder}`);
    light(seeder, true);
  } catch {
    light(seeder, false);
  }
}

async function look() {
  if (document.visibilityState === 'visible') {
    await Promise.allSettled([
      ...groups.filter((group) => group.some((item) => item.visible)).map(lookAt),
      ...tiles.map(lookAtTracker),
      ...seeders.map(lookAtSeeder),
    ]);
  }
  setTimeout(look, EVERY);
}

// The first look waits until it is known which items are seen.
let started = tiles.length + seeders.length === 0;

function start() {
  if (started) return;
  started = true;
  look();
}

if (items.length === 0) start();
for (const item of items) observer.observe(item.element);

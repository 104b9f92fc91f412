// Shows the calls, one call, or the requests, and asks the sandbox for changes once a second. The contact's number is masked.

const PERIOD = 1000;
const TIMEOUT = 10_000;
const STORED_TOKEN = 'call-api-sandbox-token';

const $ = (selector, root = document) => root.querySelector(selector);
const token = $('#token');
// The latest known times, by the clock that `time` elements follow.
const clocks = { sandbox: null, system: null };

// --- Text

const text = (value) => (value ?? '') === '' ? '–' : typeof value === 'string' ? value : JSON.stringify(value);
const words = (status) => text(status).replaceAll('_', ' ');
const shortId = (id) => text(id).replace(/^(.{8}).{10,}(.{4})$/, '$1…$2');

function duration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return text(seconds);
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  return minutes ? `${minutes} min ${rest} s` : `${rest} s`;
}

function latency(seconds) {
  if (seconds === null) return '–';
  return seconds < 1 ? `${(seconds * 1000).toFixed(seconds < 0.01 ? 2 : 0)} ms` : `${seconds.toFixed(1)} s`;
}

const RELATIVE = new Intl.RelativeTimeFormat('en', { style: 'narrow' });
const UNITS = [['year', 31_557_600], ['month', 2_629_800], ['day', 86_400], ['hour', 3_600], ['minute', 60], ['second', 1]];

function relative(time, now) {
  const seconds = (Date.parse(time) - Date.parse(now)) / 1000;
  if (!Number.isFinite(seconds)) return text(time);
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS.at(-1);
  const count = Math.trunc(seconds / length);
  return count === 0 ? 'just now' : RELATIVE.format(count, unit);
}

// --- Elements

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// The relative time, and the exact one on hover.
function time(value, clock = 'sandbox') {
  if (typeof value !== 'string') return text(value);
  const made = element('time', { dateTime: value, title: value });
  made.dataset.clock = clock;
  return made;
}

const exactTime = (value) => typeof value === 'string' ? [time(value), ` (${value})`] : [text(value)];

function updateTimes() {
  for (const made of document.querySelectorAll('time[data-clock]')) {
    const shown = relative(made.dateTime, clocks[made.dataset.clock]);
    if (made.textContent !== shown) made.textContent = shown;
  }
  $('#clock').textContent = clocks.sandbox ?? '–';
}

const pill = (status, outcome) => element('span', { className: `status ${outcome}` }, words(status));

function copyButton(id) {
  const button = element('button', { type: 'button', className: 'copy', ariaLabel: `Copy id ${id}` }, 'Copy');
  button.addEventListener('click', async () => {
    const isCopied = await copy(id);
    button.textContent = isCopied ? 'Copied' : 'Failed';
    announce(isCopied ? 'Id copied' : 'The id could not be copied');
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
  return button;
}

async function copy(value) {
  try {
    // Browsers offer it on https and on localhost only.
    await navigator.clipboard.writeText(value);
    return true;
  } catch {
    const area = element('textarea', { value, readOnly: true, className: 'hidden' });
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand('copy');
    area.remove();
    return isCopied;
  }
}

// Makes the children of `parent` those of `items`. A cell is rebuilt only if its value changed, so that focus, selection and
// tooltips stay. `describe` returns [tag, class name, value, build] for each cell; `build` makes its content from the value.
const shownRows = new WeakMap();

function showRows(parent, tag, items, keyOf, describe) {
  const before = shownRows.get(parent) ?? new Map();
  const rows = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const row = before.get(key) ?? { element: element(tag), cells: [] };
    describe(item).forEach(([cellTag, className, value, build], at) => {
      const known = JSON.stringify([className, value]);
      if (row.cells[at]?.known === known) return;
      const made = element(cellTag, { className }, ...[build(value)].flat());
      if (row.cells[at]) row.cells[at].made.replaceWith(made);
      else row.element.append(made);
      row.cells[at] = { known, made };
    });
    rows.set(key, row);
  }
  const elements = [...rows.values()].map((row) => row.element);
  for (const [key, row] of before) if (!rows.has(key)) row.element.remove();
  elements.forEach((row, at) => {
    if (parent.children[at] !== row) parent.insertBefore(row, parent.children[at] ?? null);
  });
  shownRows.set(parent, rows);
  return rows;
}

function highlight(row) {
  row.classList.remove('changed');
  // Restarts the animation.
  void row.offsetWidth;
  row.classList.add('changed');
}

// Speaks to screen readers. Only changes are announced: never a state that stays as it is.
function announce(message) {
  $('#changes').textContent = message;
}

function showBanner(message) {
  const banner = $('#banner');
  if (banner.textContent !== message) banner.textContent = message;
  banner.hidden = message === '';
}

// --- Requests to the sandbox

class ResponseError extends Error {
  constructor(status, detail) {
    super(status === 401 ? 'Enter a token of this sandbox.' : `The sandbox answered with ${status}: ${detail}`);
    this.status = status;
  }
}

// Returns the JSON of a file; `null` if it is not found.
async function get(file, query = {}) {
  // A header cannot carry other characters.
  if (!/^[\x21-\x7e]+$/.test(token.value)) throw new ResponseError(401);
  const used = Object.entries(query).filter(([, value]) => value !== null && value !== '');
  const response = await fetch(`${file}?${new URLSearchParams(used)}`, {
    headers: { Authorization: `Bearer ${token.value}` },
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (response.status === 404) return null;
  if (!response.ok) throw new ResponseError(response.status, (await response.json().catch(() => ({}))).detail);
  return response.json();
}

// --- Lists

// Buttons for the pages of a list, which begin with a cursor.
function paging(nav) {
  const [newer, older] = [element('button', { type: 'button' }, 'Newer'), element('button', { type: 'button' }, 'Older')];
  const position = element('span');
  nav.append(newer, older, position);
  let cursors = [null];
  let next = null;
  const go = (pages) => {
    cursors = pages;
    refresh();
  };
  newer.addEventListener('click', () => go(cursors.slice(0, -1)));
  older.addEventListener('click', () => go([...cursors, next]));
  return {
    before: () => cursors.at(-1),
    reset: () => { cursors = [null]; },
    show(following) {
      next = following;
      nav.hidden = cursors.length === 1 && next === null;
      newer.disabled = cursors.length === 1;
      older.disabled = next === null;
      position.textContent = `Page ${cursors.length}`;
    },
  };
}

function showEmpty(root, message) {
  const empty = $('.empty', root);
  empty.hidden = message === '';
  if (empty.textContent !== message) empty.textContent = message;
}

// The list of calls. `known` has the statuses by id that the query showed before.
function callList(root) {
  const filter = $('form', root);
  const pages = paging($('.paging', root));
  let [query, known, wasLast] = ['', new Map(), false];
  let timer;
  filter.addEventListener('submit', (event) => event.preventDefault());
  filter.addEventListener('input', () => {
    pages.reset();
    clearTimeout(timer);
    timer = setTimeout(refresh, 200);
  });

  const describe = (call) => [
    ['td', '', call.id, (id) => element('span', { className: 'id' },
      element('a', { href: `#/calls/${encodeURIComponent(id)}`, title: id }, shortId(id)), copyButton(id))],
    ['td', '', [call.status, call.outcome], (value) => pill(...value)],
    ['td', 'wide', call.type, text],
    ['td', '', call.created, (value) => time(value)],
    ['td', 'wide', call.seconds, duration],
    ['td', 'wide', call.recording, recordingLink],
  ];

  function announceChanges(calls, isLast) {
    const changes = calls.filter((call) => known.get(call.id) !== call.status).map((call) => {
      const before = known.get(call.id);
      const start = before === undefined ? `New call ${shortId(call.id)}` : `Call ${shortId(call.id)}: ${words(before)}, now`;
      return `${start} ${words(call.status)}`;
    });
    if (wasLast && isLast) {
      const ids = new Set(calls.map((call) => call.id));
      changes.push(...[...known.keys()].filter((id) => !ids.has(id)).map((id) => `Call ${shortId(id)} is no longer listed`));
    }
    if (changes.length) announce(changes.length > 3 ? `${changes.length} calls changed` : changes.join('. '));
  }

  return {
    title: () => 'Calls',
    clear() {
      pages.reset();
      query = '';
      showRows($('tbody', root), 'tr', [], String, describe);
    },
    async load() {
      const asked = { ...Object.fromEntries(new FormData(filter)), before: pages.before() };
      const page = await get('calls.json', asked);
      return () => {
        const { calls, next } = page;
        clocks.sandbox = page.clock;
        const rows = showRows($('tbody', root), 'tr', calls, (call) => call.id, describe);
        const isSameQuery = query === JSON.stringify(asked);
        if (isSameQuery) {
          announceChanges(calls, next === null);
          for (const call of calls) if (known.get(call.id) !== call.status) highlight(rows.get(call.id).element);
        } else if (query) {
          announce(`${calls.length} calls listed`);
        }
        [query, known, wasLast] = [JSON.stringify(asked), new Map(calls.map((call) => [call.id, call.status])), next === null];
        pages.show(next);
        const hasFilter = asked.status || asked.type || asked.text;
        showEmpty(root, calls.length ? '' : next !== null ? 'No match so far; use “Older” to search on.' : hasFilter ? 'No call matches.' : 'No calls.');
      };
    },
  };
}

const recordingLink = (url) => url ? element('a', { href: url, rel: 'noreferrer' }, 'Listen') : '–';

// A list of requests, of all or about one call.
function requestList(root, id = () => null) {
  root.append($('#requests-table').content.cloneNode(true));
  const pages = paging($('.paging', root));
  let [query, latest] = ['', -1];

  const describe = (request) => [
    ['td', '', [request.method, request.path, request.call], ([method, path, call]) => {
      const parts = (call ? path.replace(call, shortId) : path).split(/(?<=\/)/);
      const shown = element('code', { title: path }, method, ' ', ...parts.flatMap((part) => [part, element('wbr')]));
      return call && !id() ? element('a', { href: `#/calls/${call}` }, shown) : shown;
    }],
    ['td', '', [request.status, request.seconds], ([status, seconds]) => {
      if (status === null) return pill(seconds === null ? 'waiting' : 'none', seconds === null ? 'other' : 'failure');
      return pill(String(status), status < 400 ? 'success' : 'failure');
    }],
    ['td', '', request.seconds, latency],
    ['td', '', request.at, (value) => time(value, 'system')],
  ];

  return {
    title: () => 'Requests',
    clear() {
      pages.reset();
      query = '';
      showRows($('tbody', root), 'tr', [], String, describe);
    },
    async load() {
      const asked = { id: id(), before: pages.before() };
      const page = await get('requests.json', asked);
      return () => {
        [clocks.sandbox, clocks.system] = [page.clock, page.now];
        showRows($('tbody', root), 'tr', page.requests, (request) => request.number, describe);
        const added = page.requests.filter((request) => request.number > latest).length;
        if (query === JSON.stringify(asked) && asked.before === null && added) {
          announce(added === 1 ? 'A new request' : `${added} new requests`);
        }
        query = JSON.stringify(asked);
        latest = page.requests[0]?.number ?? latest;
        pages.show(page.next);
        showEmpty(root, page.requests.length ? '' : 'No requests yet.');
      };
    },
  };
}

// --- A call

function callDetail(root) {
  const requests = requestList($('.requests', root), () => view.id);
  const [title, list, history, json] = [$('h1', root), $('dl', root), $('.history', root), $('pre', root)];
  let known = null;

  const properties = (call) => [
    ['Id', call.id, (id) => [element('code', {}, id), ' ', copyButton(id)]],
    ['Status', [call.status, call.outcome], (value) => pill(...value)],
    ['Type', call.type, text],
    ['Contact', call.contact, text],
    ['Agent', call.agent, text],
    ['Phone', call.phone, text],
    ['Created', call.created, exactTime],
    ['Started', call.started, exactTime],
    ['Ended', call.ended, exactTime],
    ['Duration', call.seconds, duration],
    ['End reason', call.reason, text],
    ['Recording', call.recording, recordingLink],
  ];

  function showCall({ call, history: statuses, clock, json: whole }) {
    clocks.sandbox = clock;
    showRows(list, 'div', properties(call), ([name]) => name, ([name, value, build]) => [
      ['dt', '', name, text],
      ['dd', '', value, build],
    ]);
    const numbered = statuses.map((status, number) => ({ ...status, number }));
    showRows(history, 'li', numbered, ({ number }) => number, ({ status, outcome, at }) => {
      const isExpected = Date.parse(at) > Date.parse(clock);
      return [
        ['span', '', [status ?? 'removed', outcome], (value) => pill(...value)],
        ['span', 'muted', isExpected ? 'expected' : '', (value) => value],
        ['span', 'muted', at, (value) => value === null ? 'initially' : exactTime(value)],
      ];
    });
    const printed = JSON.stringify(whole, null, 2);
    if (json.textContent !== printed) json.textContent = printed;
    if (known?.id === call.id && known.status !== call.status) {
      announce(`Now ${words(call.status)}`);
      highlight(shownRows.get(list).get('Status').element);
    } else if (known?.id === call.id && !known.recording && call.recording) {
      announce('The recording is available');
    }
    known = call;
  }

  return {
    title: () => `Call ${shortId(view.id)}`,
    clear() {
      known = null;
      requests.clear();
      for (const child of root.children) child.hidden = child !== title && child.tagName !== 'P';
      title.textContent = `Call ${shortId(view.id)}`;
    },
    async load() {
      const id = view.id;
      const [detail, showRequests] = await Promise.all([get('call.json', { id }), requests.load()]);
      return () => {
        for (const child of root.children) child.hidden = detail === null && child !== title && child.tagName !== 'P';
        title.textContent = detail === null ? `No call ${shortId(id)}` : `Call ${shortId(id)}`;
        if (detail === null) return;
        showRequests();
        // The change of the call is announced rather than the request that saw it.
        showCall(detail);
      };
    },
  };
}

// --- Views

const views = {
  calls: callList($('#calls')),
  call: callDetail($('#call')),
  requests: requestList($('#requests .requests')),
};
let view = { name: 'calls', id: null };

// Returns the text as it is if it is not encoded; the server says that it is no id.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function route(event) {
  const [, name = '', id] = location.hash.split('/');
  view = { name: name === 'requests' ? 'requests' : id ? 'call' : 'calls', id: decoded(id ?? '') || null };
  for (const section of document.querySelectorAll('main > section')) section.hidden = section.id !== view.name;
  for (const link of document.querySelectorAll('header nav a')) {
    const isCurrent = link.hash === (view.name === 'requests' ? '#/requests' : '#/');
    link.toggleAttribute('aria-current', false);
    if (isCurrent && link.hash) link.setAttribute('aria-current', view.id ? 'true' : 'page');
  }
  views[view.name].clear();
  document.title = `${views[view.name].title()} – Call API sandbox`;
  announce('');
  if (event) $(`#${view.name}-title`).focus();
  refresh();
}

// Asks for what the view shows. A later refresh supersedes it.
let generation = 0;
let timer;
let updatedAt = null;

async function refresh() {
  clearTimeout(timer);
  const mine = ++generation;
  try {
    const show = await views[view.name].load();
    if (mine !== generation) return;
    show();
    updateTimes();
    updatedAt = new Date();
    showBanner('');
  } catch (error) {
    if (mine !== generation) return;
    if (error.status === 401) views[view.name].clear();
    const state = updatedAt ? `The page shows its state at ${updatedAt.toLocaleTimeString()}. ` : '';
    showBanner(error instanceof ResponseError ? error.message : `The sandbox does not respond. ${state}It is asked again every second.`);
  }
  timer = setTimeout(refresh, document.hidden ? 10 * PERIOD : PERIOD);
}

token.value ||= sessionStorage.getItem(STORED_TOKEN) ?? '';
token.addEventListener('input', () => {
  // For the API reference, and for a reload.
  sessionStorage.setItem(STORED_TOKEN, token.value);
  views[view.name].clear();
  refresh();
});
$('#access').addEventListener('submit', (event) => event.preventDefault());
document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });
addEventListener('hashchange', route);
route();

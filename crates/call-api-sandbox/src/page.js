'use strict';
// Polls the calls twice a second and highlights changes. Phone numbers are not shown.
const token = document.getElementById('token');
const state = document.getElementById('state');
const table = document.getElementById('calls');
const rows = new Map();

function show(call) {
  let row = rows.get(call.id);
  if (!row) {
    row = { element: document.createElement('tr'), statuses: [], text: '' };
    row.element.id = call.id;
    rows.set(call.id, row);
  }
  const status = String(call.status);
  if (row.statuses.at(-1) !== status) {
    row.element.classList.toggle('changed', row.statuses.length > 0);
    row.statuses.push(status);
  }
  const cells = [call.id, status, row.statuses.join(' → '), call.type, call.start_time, call.duration];
  const url = call.recording_url;
  const text = JSON.stringify([cells, url]);
  if (row.text !== text) {
    row.text = text;
    row.element.replaceChildren(...cells.map((value) => {
      const cell = document.createElement('td');
      cell.textContent = value ?? '';
      return cell;
    }));
    const cell = row.element.insertCell();
    if (/^https?:/.test(url ?? '')) {
      const link = document.createElement('a');
      link.href = url;
      link.textContent = 'listen';
      cell.append(link);
    }
  }
  return row.element;
}

async function refresh() {
  try {
    const response = await fetch('calls.json', { headers: { Authorization: `Bearer ${token.value}` } });
    if (response.status === 401) {
      state.textContent = 'Enter a token of this sandbox.';
      table.replaceChildren();
    } else {
      const { calls, next } = await response.json();
      const elements = calls.map(show);
      // Unchanged rows stay in place, so that the animation of a changed row is visible.
      if (elements.length !== table.rows.length || elements.some((element, at) => element !== table.rows[at])) {
        table.replaceChildren(...elements);
      }
      state.textContent = `${next === null ? 'All' : 'Latest'} calls: ${calls.length}`;
    }
  } catch (error) {
    state.textContent = `The sandbox does not respond: ${error.message}`;
  }
  setTimeout(refresh, 500);
}

document.forms[0].addEventListener('submit', (event) => event.preventDefault());
token.addEventListener('input', () => { rows.clear(); });
refresh();

'use strict';
// Asks for the calls each half second, and shows what has changed. A call's numbers are not shown.
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

async function look() {
  try {
    const answer = await fetch('calls.json', { headers: { Authorization: `Bearer ${token.value}` } });
    if (answer.status === 401) {
      state.textContent = 'Give the token that opens this sandbox.';
      table.replaceChildren();
    } else {
      const { calls, next } = await answer.json();
      const elements = calls.map(show);
      // What stays where it is is not touched, so that a change can be seen.
      if (elements.length !== table.rows.length || elements.some((element, at) => element !== table.rows[at])) {
        table.replaceChildren(...elements);
      }
      state.textContent = `${next === null ? 'All' : 'The latest'} calls: ${calls.length}`;
    }
  } catch (error) {
    state.textContent = `The sandbox does not answer: ${error.message}`;
  }
  setTimeout(look, 500);
}

document.forms[0].addEventListener('submit', (event) => event.preventDefault());
token.addEventListener('input', () => { rows.clear(); });
look();

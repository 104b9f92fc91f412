// Tests the sandbox's pages in Chromium, at two widths and in both color schemes. `run.sh` sets the variables.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

const { SANDBOX, CHROMIUM } = process.env;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TOKEN = 'sandbox-token';
const SCRIPTED = '5f0c9a52-7d0e-4c1b-9a35-2b6f1e8d4c70';
const STATUSES = ['dialing', 'in_progress', 'completed', 'failed', 'transferred', 'no_answer', 'on_hold'];

// Starts the program and returns its URL and a function that stops it.
async function start(listen, env = {}) {
  const program = spawn(SANDBOX, ['--listen', listen, '--control', '--stepped'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let greeting = '';
  for await (const part of program.stdout) {
    greeting += part;
    if (greeting.includes('Listening on')) break;
  }
  const url = /Listening on (\S+)/.exec(greeting)[1];
  const stop = async () => {
    program.kill('SIGKILL');
    if (program.exitCode === null && program.signalCode === null) await once(program, 'exit');
  };
  return { url, stop };
}

let browser;
let sandbox;
const send = (method, path, body) => fetch(sandbox.url + path, {
  method,
  body: body && JSON.stringify(body),
  headers: { Authorization: `Bearer ${TOKEN}` },
});

async function put(call) {
  const response = await send('PUT', `/_sandbox/calls/${call.id}`, call);
  assert.equal(response.status, 204);
}

before(async () => {
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
  sandbox = await start('127.0.0.1:0');
  const example = await (await send('GET', '/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a')).json();
  for (let number = 0; number < 60; number++) {
    const id = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
    const contact = { ...example.contact, identifier: `+34600100${100 + number}` };
    const recording_url = number % 2 ? null : 'http://127.0.0.1/recording.wav';
    await put({ ...example, id, contact, recording_url, status: STATUSES[number % STATUSES.length], duration: number * 37 });
  }
  const scripted = await send('PUT', `/_sandbox/calls/${SCRIPTED}/script`, { ending: 'completed' });
  assert.equal(scripted.status, 204);
  await send('GET', `/v1/call/${SCRIPTED}`);
  await fetch(`${sandbox.url}/v1/call/${SCRIPTED}`);
});

after(async () => {
  await browser?.close();
  await sandbox?.stop();
});

// Opens a page in a new session, and fails the test if it logs an error.
async function open(t, path, { width = 1280, colorScheme = 'light', url = sandbox.url } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  const errors = [];
  const foreign = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => message.text().includes('Content Security Policy') && errors.push(message.text()));
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) foreign.push(request.url());
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, []);
    assert.deepEqual(foreign, [], 'requests to other sites');
  });
  await page.goto(url + path);
  return page;
}

// Fails if axe finds a violation or the page scrolls sideways.
async function check(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run());
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
  assert.deepEqual(found, []);
  const { inner, edges } = await page.evaluate(() => ({
    inner: document.documentElement.clientWidth,
    edges: [document.documentElement.scrollWidth, ...[...document.querySelectorAll('main table')].map((table) => table.getBoundingClientRect().right)],
  }));
  assert.ok(edges.every((edge) => edge <= inner), `${edges} beyond ${inner}`);
}

// Collects every text that the live region gets.
const listen = (page) => page.evaluate(() => {
  window.spoken = [];
  const region = document.querySelector('#changes');
  new MutationObserver(() => region.textContent && window.spoken.push(region.textContent))
    .observe(region, { childList: true, characterData: true, subtree: true });
});

// Waits until the page has asked for changes that many times more.
async function polls(page, count) {
  for (let seen = 0; seen < count; seen++) {
    await page.waitForResponse((response) => /\/_sandbox\/\w+\.json/.test(response.url()));
  }
}

const row = (page, id) => page.locator('#calls tbody tr', { has: page.locator(`a[title="${id}"]`) });

for (const width of [400, 1280]) {
  for (const colorScheme of ['light', 'dark']) {
    const look = { width, colorScheme };
    const name = `at ${width} px, ${colorScheme}`;

    test(`list is accessible ${name}`, async (t) => {
      const page = await open(t, '/', look);
      await row(page, SCRIPTED).waitFor();
      assert.equal(await page.locator('#calls tbody tr').count(), 50);
      await check(page);
    });

    test(`detail is accessible ${name}`, async (t) => {
      const page = await open(t, `/_sandbox/#/calls/${SCRIPTED}`, look);
      await page.locator('#call tbody tr').first().waitFor();
      await page.locator('summary').click();
      await check(page);
    });

    test(`request log is accessible ${name}`, async (t) => {
      const page = await open(t, '/_sandbox/#/requests', look);
      await page.locator('#requests tbody tr').first().waitFor();
      await check(page);
    });

    test(`API reference is accessible, and its first request succeeds ${name}`, async (t) => {
      const page = await open(t, '/docs', look);
      const { info } = await (await fetch(`${sandbox.url}/_sandbox/docs/openapi.json`)).json();
      assert.equal(await page.title(), info.title);
      await page.locator('.execute').first().click();
      assert.equal(await page.locator('.live-responses-table tbody .response-col_status').innerText(), '200');
      await check(page);
    });
  }
}

test('banner and request for a token are accessible', async (t) => {
  const page = await open(t, '/_sandbox/');
  await row(page, SCRIPTED).waitFor();
  await page.locator('#token').fill('wrong');
  await page.getByText('Enter a token of this sandbox.').waitFor();
  assert.equal(await page.locator('#calls tbody tr').count(), 0);
  await check(page);
});

test('filter, paging and links lead to a call', async (t) => {
  const page = await open(t, '/_sandbox/');
  const rows = page.locator('#calls tbody tr');
  await page.getByRole('button', { name: 'Older' }).click();
  await page.getByText('Page 2').waitFor();
  // 60 calls, the scripted one and the example.
  await assert.doesNotReject(rows.nth(11).waitFor());
  assert.equal(await rows.count(), 12);

  await page.getByLabel('Status').selectOption('failed');
  await rows.nth(8).waitFor({ state: 'attached' });
  await page.getByText('Page 2').waitFor({ state: 'hidden' });
  assert.deepEqual(new Set(await page.locator('#calls .status').allInnerTexts()), new Set(['failed']));
  // A part of the contact's number, which is not shown.
  await page.getByLabel('Id, contact').fill('600100110');
  await rows.nth(1).waitFor({ state: 'detached' });
  assert.equal(await rows.count(), 1);
  assert.ok(!(await page.content()).includes('600100110'));

  await rows.getByRole('link').first().click();
  await page.getByRole('heading', { name: 'Call 00000000…0010' }).waitFor();
  assert.equal(await page.title(), 'Call 00000000…0010 – Call API sandbox');
  await page.getByText('***110').waitFor();
});

test('times show the exact time on hover, and ids can be copied', async (t) => {
  const page = await open(t, '/_sandbox/');
  const time = row(page, SCRIPTED).locator('time');
  await time.waitFor();
  assert.match(await time.innerText(), /ago|just now/);
  const { created_date } = await (await send('GET', `/v1/call/${SCRIPTED}`)).json();
  assert.equal(await time.getAttribute('title'), created_date);

  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByRole('button', { name: `Copy id ${SCRIPTED}` }).click();
  await page.getByRole('button', { name: `Copy id ${SCRIPTED}` }).getByText('Copied').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), SCRIPTED);
});

test('live region speaks of changes only', async (t) => {
  const page = await open(t, '/_sandbox/');
  const id = '00000000-0000-4000-8000-000000000059';
  await row(page, id).waitFor();
  await listen(page);
  await polls(page, 3);
  assert.deepEqual(await page.evaluate(() => window.spoken), []);

  const call = await (await send('GET', `/v1/call/${id}`)).json();
  await put({ ...call, status: 'transferred' });
  await row(page, id).getByText('transferred').waitFor();
  await polls(page, 3);
  assert.deepEqual(await page.evaluate(() => window.spoken), ['Call 00000000…0059: failed, now transferred']);
});

test('detail shows the history and the requests of a call', async (t) => {
  const page = await open(t, `/_sandbox/#/calls/${SCRIPTED}`);
  const statuses = page.locator('.history .status');
  await statuses.nth(2).waitFor();
  assert.deepEqual(await statuses.allInnerTexts(), ['dialing', 'in progress', 'completed']);
  const expected = page.locator('.history li', { hasText: 'expected' });
  assert.equal(await expected.count(), 2);
  // The request with a token, and the one without, were the first ones about the call.
  const requests = page.locator('#call tbody tr');
  const seen = await requests.locator('.status').allInnerTexts();
  assert.deepEqual(seen.slice(-2), ['401', '200']);
  assert.match(await requests.last().innerText(), /GET \/v1\/call\/5f0c9a52…4c70\s+200\s+[\d.]+ ms/);

  await listen(page);
  await send('POST', '/_sandbox/clock/advance', { seconds: 2 });
  await page.locator('dl .status', { hasText: 'in progress' }).waitFor();
  assert.equal(await expected.count(), 1);
  assert.deepEqual(await page.evaluate(() => window.spoken), ['Now in progress']);
});

test('banner appears while the server is gone', async (t) => {
  const own = await start('127.0.0.1:0');
  t.after(() => own.stop());
  const page = await open(t, '/_sandbox/', { url: own.url });
  const banner = page.locator('#banner');
  await page.locator('#calls tbody tr').waitFor();
  assert.equal(await banner.isVisible(), false);
  await own.stop();
  await banner.getByText('The sandbox does not respond.').waitFor();
  assert.equal(await banner.getAttribute('role'), 'alert');
  await check(page);
  // What was known stays.
  assert.equal(await page.locator('#calls tbody tr').count(), 1);
  const again = await start(new URL(own.url).host);
  t.after(() => again.stop());
  await banner.waitFor({ state: 'hidden' });
});

test('API reference uses a token entered on the list', async (t) => {
  const own = await start('127.0.0.1:0', { CALL_API_SANDBOX_TOKEN: 'a-token-of-mine' });
  t.after(() => own.stop());
  const page = await open(t, '/_sandbox/', { url: own.url });
  assert.ok(!(await page.content()).includes('a-token-of-mine'));
  await page.getByText('Enter a token of this sandbox.').waitFor();
  await page.locator('#token').fill('a-token-of-mine');
  await page.locator('#calls tbody tr').waitFor();
  await page.getByRole('link', { name: 'API reference' }).click();
  await page.locator('.execute').first().click();
  assert.equal(await page.locator('.live-responses-table tbody .response-col_status').innerText(), '200');
});

'use strict';

// How requests are made and what becomes of the answers, against a server that says what a test wants it to say.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { runner, serve } = require('./support');

const PROBLEM = { 'content-type': 'application/problem+json' };
const refusal =
  (status, code, detail, headers = {}) =>
  () => ({
    status,
    headers: { ...PROBLEM, ...headers },
    body: { code, detail, status, retryable: status >= 500 },
  });

/** Runs the connection test against a server that answers so, and returns the error. */
async function errorOf(t, answer) {
  const server = await serve(t, answer);
  return runner({ base_url: server.url, api_key: 'pr_test_x' })('authentication.test').then(
    (result) => assert.fail(`no error but ${JSON.stringify(result)}`),
    (error) => error,
  );
}

test('the API key travels in the header of every request', async (t) => {
  const server = await serve(t, () => ({ body: { account_name: 'demo', mode: 'test' } }));
  const me = await runner({ base_url: `${server.url}/`, api_key: 'pr_test_x' })('authentication.test');
  assert.equal(server.requests[0].headers.authorization, 'Bearer pr_test_x');
  assert.equal(server.requests[0].url, '/v1/me');
  assert.equal(me.host, `127.0.0.1:${server.port}`);
});

test('a wrong address is told in a sentence, before anything is sent', async () => {
  const run = runner({ base_url: 'http://passes.example.com', api_key: 'pr_test_x' });
  await assert.rejects(run('authentication.test'), { name: 'HaltedError', message: /^The service address must begin/ });
});

test('what a repeat cannot cure stops the run with the sentence of the service', async (t) => {
  for (const [status, code] of [
    [400, 'malformed-json'],
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [404, 'not-found'],
    [409, 'duplicate'],
    [422, 'validation-failed'],
  ]) {
    const error = await errorOf(t, refusal(status, code, 'Give an e-mail address.'));
    assert.equal(error.name, 'HaltedError');
    assert.match(error.message, /^Give an e-mail address\./);
  }
});

test('a revoked key asks for a new connection', async (t) => {
  const error = await errorOf(t, refusal(401, 'key-revoked', 'This API key was revoked.'));
  assert.equal(error.name, 'ExpiredAuthError');
  assert.match(error.message, /^This API key was revoked\./);
});

test('too many requests are sent again after the delay the service names', async (t) => {
  const error = await errorOf(t, refusal(429, 'rate-limited', 'Too many requests.', { 'retry-after': '7' }));
  assert.equal(error.name, 'ThrottledError');
  assert.deepEqual(JSON.parse(error.message), { message: 'Too many requests.', delay: 7 });
});

test('too many requests without a delay are sent again after a minute', async (t) => {
  const error = await errorOf(t, refusal(429, 'rate-limited', 'Too many requests.'));
  assert.equal(JSON.parse(error.message).delay, 60);
});

test('a request that still runs is asked for again', async (t) => {
  const error = await errorOf(t, refusal(409, 'idempotency-in-progress', 'Still running.', { 'retry-after': '1' }));
  assert.deepEqual([error.name, JSON.parse(error.message).delay], ['ThrottledError', 1]);
});

test('a failure of the service, or of its issuer, is an error that Zapier may replay', async (t) => {
  for (const [status, code] of [
    [500, 'internal'],
    [424, 'upstream-credentials-refused'],
    [503, 'upstream-unavailable'],
    [504, 'outcome-unknown'],
  ]) {
    const error = await errorOf(t, refusal(status, code, 'Try again.'));
    assert.deepEqual([error.name, JSON.parse(error.message)], ['AppError', { message: 'Try again.', code, status }]);
  }
});

test('an answer that is not from Passrail says so', async (t) => {
  const html = { 'content-type': 'text/html' };
  const missing = await errorOf(t, () => ({ status: 404, headers: html, body: '<h1>Nothing</h1>' }));
  assert.match(
    missing.message,
    /^127\.0\.0\.1:\d+ answered HTTP 404, not as Passrail does\. Check the service address/,
  );
  const page = await errorOf(t, () => ({ status: 200, headers: html, body: '<h1>Welcome</h1>' }));
  assert.match(page.message, /^127\.0\.0\.1:\d+ did not answer as Passrail does/);
  const down = await errorOf(t, () => ({ status: 502, headers: html, body: '<h1>Bad Gateway</h1>' }));
  assert.equal(down.name, 'AppError');
});

test('a redirect is not followed: the API key would go along', async (t) => {
  const other = await serve(t, () => ({ body: {} }));
  const error = await errorOf(t, () => ({ status: 307, headers: { location: `${other.url}/v1/me` } }));
  assert.equal(error.name, 'HaltedError');
  assert.deepEqual(other.requests, []);
});

test('an API request reaches the service of the connection only', async (t) => {
  const server = await serve(t, () => ({ headers: { 'x-request-id': 'req_1' }, body: { data: [] } }));
  const run = runner({ base_url: server.url, api_key: 'pr_test_x' });
  const request = (path) => run('creates.api_request.operation.perform', { inputData: { method: 'GET', path } });
  assert.deepEqual(await request('/v1/passes'), { id: 'req_1', status: 200, body: { data: [] } });
  for (const path of [
    'https://evil.example/v1/',
    '//evil.example/v1/',
    '@evil.example',
    '.evil.example',
    'v1/me',
    '/v1/../admin',
    '/v1/me?x=1',
    '/v1/\\evil',
    '',
    '/metrics',
  ]) {
    await assert.rejects(request(path), { name: 'HaltedError', message: /^Path must begin with/ }, path);
  }
  assert.equal(server.requests.length, 1);
});

test('an API request sends query, body and unique event ID', async (t) => {
  const server = await serve(t, () => ({ status: 204, headers: { 'x-request-id': 'req_1' } }));
  const run = runner({ base_url: server.url, api_key: 'pr_test_x' });
  const inputData = {
    method: 'POST',
    path: '/v1/hooks',
    query: { a: 'b c' },
    body: '{"x": 1}',
    unique_event_id: 'e-1',
  };
  assert.deepEqual(await run('creates.api_request.operation.perform', { inputData }), {
    id: 'req_1',
    status: 204,
    body: {},
  });
  const [sent] = server.requests;
  assert.deepEqual(
    [sent.method, sent.url, sent.body, sent.headers['idempotency-key']],
    ['POST', '/v1/hooks?a=b%20c', '{"x":1}', 'e-1'],
  );
});

test('an API request with a body that is not JSON says so', async () => {
  const run = runner({ base_url: 'http://localhost:1', api_key: 'pr_test_x' });
  const inputData = { method: 'POST', path: '/v1/hooks', body: '{x: 1}' };
  await assert.rejects(run('creates.api_request.operation.perform', { inputData }), {
    message: /^Body is not valid JSON/,
  });
});

'use strict';

const { createServer } = require('node:http');

const zapier = require('zapier-platform-core');

// Core checks the results of steps (unique IDs, objects, lists) and throws only when it knows that it is tested.
process.env.NODE_ENV = 'test';
// Core prints how much memory it uses, once a call.
console.log = () => {};

const handler = zapier.createAppHandler(require('..'));

/** Returns the app's definition as Zapier keeps it: plain data. */
const definition = async () => structuredClone((await handler({ command: 'definition' })).results);

/** Returns what Zapier's schema finds wrong with the app. */
const schemaErrors = async () => (await handler({ command: 'validate' })).results;

/** Returns a function that runs a method of the app as Zapier does: `run('creates.create_pass.operation.perform', {inputData})`. */
function runner(authData) {
  return async (method, bundle = {}) => {
    const whole = { authData, inputData: {}, meta: {}, ...bundle };
    return (await handler({ command: 'execute', method, bundle: whole })).results;
  };
}

/**
 * Starts a server on loopback. `answer(request)` gets `{method, url, headers, body}` and returns
 * `{status, headers, body}`; requests are kept. Ends with the test.
 */
async function serve(test, answer) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    const body = Buffer.concat(chunks).toString();
    const { method, url, headers } = request;
    requests.push({ method, url, headers, body });
    const { status = 200, headers: more = {}, body: text = '' } = answer({ method, url, headers, body });
    response.writeHead(status, { 'content-type': 'application/json', ...more });
    response.end(typeof text === 'string' ? text : JSON.stringify(text));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  test.after(() => server.close());
  const { port } = server.address();
  return { requests, port, url: `http://127.0.0.1:${port}` };
}

module.exports = { definition, runner, schemaErrors, serve };

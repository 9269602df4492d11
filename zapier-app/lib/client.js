'use strict';

const { WrongAddress, serviceAddress } = require('./address');

/** Returns the address of the connection's service, or stops the step with a sentence that says what is wrong. */
function addressOf(z, bundle) {
  try {
    return serviceAddress(bundle.authData.base_url);
  } catch (error) {
    throw error instanceof WrongAddress ? new z.errors.HaltedError(error.message) : error;
  }
}

/**
 * Sends a request to the connection's service and returns the response. Problems are raised by `raiseProblems`.
 *
 * Redirects are not followed: they would carry the API key to wherever they point.
 */
async function send(z, bundle, method, path, options = {}) {
  const url = addressOf(z, bundle) + path;
  return z.request({ ...options, method, url, redirect: 'manual', removeMissingValuesFrom: { params: true } });
}

/** Sends a request and returns what the JSON of the answer says. */
async function call(z, bundle, method, path, options) {
  const response = await send(z, bundle, method, path, options);
  if (response.data === null || typeof response.data !== 'object') {
    const { host } = new URL(response.request.url);
    throw new z.errors.HaltedError(
      `${host} did not answer as Passrail does. Check the service address of the connection.`,
    );
  }
  return response.data;
}

/** Puts the API key on each request: only on those that go to the connection's service. A `beforeRequest`. */
function addApiKey(request, z, bundle) {
  if (new URL(request.url).origin !== new URL(addressOf(z, bundle)).origin) {
    throw new z.errors.HaltedError('A request may only go to the service of the connection.');
  }
  request.headers.Authorization = `Bearer ${bundle.authData.api_key}`;
  return request;
}

module.exports = { addApiKey, call, send };

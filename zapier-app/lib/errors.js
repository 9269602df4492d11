'use strict';

// What Zapier is to do about an answer that is not a success. The API says all that is needed: its problem document
// (RFC 9457) has a sentence for the person who built the Zap, a stable code, and whether a repeat can help.

const DELAY_SECONDS = 60;
const REVOKED = 'key-revoked';
// The issuer refuses the account's credentials: once it is connected again, the run can be replayed.
const NOT_CONNECTED = 'upstream-credentials-refused';
const STILL_RUNNING = 'idempotency-in-progress';

/**
 * Throws the error that fits an answer, or returns the answer. An `afterResponse` of the integration. A request with
 * `skipThrowForStatus` is judged by who made it.
 */
function raiseProblems(response, z) {
  const { status } = response;
  if ((status >= 200 && status < 300) || response.skipThrowForStatus) {
    return response;
  }
  const problem = problemOf(response);
  if (status === 429 || problem.code === STILL_RUNNING) {
    // Zapier runs the step again after the delay, without bothering anybody.
    throw new z.errors.ThrottledError(problem.detail, Number(response.getHeader('retry-after')) || DELAY_SECONDS);
  }
  if (problem.code === REVOKED) {
    // Runs are held, the owner is told, and all can be replayed once the connection has a new key.
    throw new z.errors.ExpiredAuthError(problem.detail);
  }
  if (status < 500 && problem.code !== NOT_CONNECTED) {
    // The same request would be refused again: stop this run, without counting towards turning off the Zap.
    throw new z.errors.HaltedError(problem.detail);
  }
  throw new z.errors.Error(problem.detail, problem.code, status);
}

function problemOf(response) {
  const problem = response.data;
  if (problem && typeof problem.detail === 'string') {
    return problem;
  }
  const { host } = new URL(response.request.url);
  const hint =
    response.status >= 500
      ? 'It may be starting or down: try again later.'
      : 'Check the service address of the connection.';
  return { code: 'not-passrail', detail: `${host} answered HTTP ${response.status}, not as Passrail does. ${hint}` };
}

module.exports = { raiseProblems };

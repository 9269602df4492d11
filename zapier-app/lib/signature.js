'use strict';

const { createHmac, timingSafeEqual } = require('node:crypto');

const TOLERANCE_SECONDS = 300;
const PREFIX = 'whsec_';

/**
 * Tells whether a delivery was signed with the secret of its subscription, less than five minutes ago.
 *
 * This is Standard Webhooks 1.0.0: HMAC-SHA256 over `id.timestamp.body`. While a secret is being replaced there is more
 * than one signature; one that fits is enough.
 */
function isSigned(rawRequest, secret, now = Date.now()) {
  const header = headerOf(rawRequest.headers);
  const [id, timestamp, signatures] = [header('webhook-id'), header('webhook-timestamp'), header('webhook-signature')];
  if (
    !secret ||
    !id ||
    !signatures ||
    !/^\d+$/.test(timestamp) ||
    Math.abs(now / 1000 - timestamp) > TOLERANCE_SECONDS
  ) {
    return false;
  }
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  const right = createHmac('sha256', key).update(`${id}.${timestamp}.${rawRequest.content}`).digest();
  return signatures.split(' ').some((one) => {
    const [version, text] = one.split(',');
    const given = Buffer.from(text ?? '', 'base64');
    return version === 'v1' && given.length === right.length && timingSafeEqual(given, right);
  });
}

/** Zapier hands headers over as `Http-Webhook-Id`. */
function headerOf(headers) {
  const known = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase().replace(/^http-/, ''), value]);
  const byName = Object.fromEntries(known);
  return (name) => byName[name] ?? '';
}

module.exports = { isSigned };

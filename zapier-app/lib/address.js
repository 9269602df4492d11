'use strict';

const { isIP } = require('node:net');

const LOCAL = new Set(['localhost', '127.0.0.1', '[::1]']);

/** An address that cannot be that of a Passrail service; the message says what would be right. */
class WrongAddress extends Error {}

/**
 * Returns the address of the service without a slash at its end.
 *
 * It is typed by a person and gets the API key with every request, so it must be a plain https address. http is taken
 * only for this very machine, where `zapier-platform invoke` and the tests run; a Zap can never reach that.
 */
function serviceAddress(typed) {
  const text = String(typed ?? '').trim();
  if (!URL.canParse(text)) {
    throw new WrongAddress('The service address is not a web address. Give one such as `https://passes.example.com`.');
  }
  const url = new URL(text);
  const local = LOCAL.has(url.hostname);
  if (url.protocol !== 'https:' && !(local && url.protocol === 'http:')) {
    throw new WrongAddress('The service address must begin with `https://`, so that the API key stays secret.');
  }
  if (url.username || url.password) {
    throw new WrongAddress('The service address must not contain a user name or password.');
  }
  if (/[?#\\\s]/.test(text)) {
    throw new WrongAddress(
      'The service address must end after the host, or a path: leave out everything from `?` or `#`.',
    );
  }
  if (!local && isIP(url.hostname.replace(/^\[|\]$/g, ''))) {
    throw new WrongAddress(
      'The service address must have a host name, such as `passes.example.com`, not an IP address.',
    );
  }
  return url.href.replace(/\/+$/, '');
}

module.exports = { WrongAddress, serviceAddress };

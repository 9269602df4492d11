'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { serviceAddress } = require('../lib/address');

const RIGHT = {
  'https://passes.example.com': 'https://passes.example.com',
  ' https://Passes.Example.com/ ': 'https://passes.example.com',
  'https://example.com/passrail//': 'https://example.com/passrail',
  'https://passes.example.com:8443': 'https://passes.example.com:8443',
  'http://localhost:8000': 'http://localhost:8000',
  'http://127.0.0.1:8000/': 'http://127.0.0.1:8000',
  'http://[::1]:8000': 'http://[::1]:8000',
};

const WRONG = {
  '': /not a web address/,
  'passes.example.com': /not a web address/,
  'https://': /not a web address/,
  'http://passes.example.com': /must begin with `https:/,
  'http://localhost.example.com': /must begin with `https:/,
  'http://127.0.0.1.example.com': /must begin with `https:/,
  'ftp://passes.example.com': /must begin with `https:/,
  'javascript:alert(1)': /must begin with `https:/,
  'file:///etc/passwd': /must begin with `https:/,
  'https://passes.example.com@evil.example': /user name or password/,
  'https://user:secret@passes.example.com': /user name or password/,
  'https://passes.example.com?x=1': /from `\?`/,
  'https://passes.example.com/#/v1': /from `\?`/,
  'https://passes.example.com?': /from `\?`/,
  'https:\\\\passes.example.com': /from `\?`/,
  'https://203.0.113.7': /not an IP address/,
  'https://3405803783': /not an IP address/,
  'https://0xcb.7': /not an IP address/,
  'https://[2001:db8::1]': /not an IP address/,
};

for (const [typed, address] of Object.entries(RIGHT)) {
  test(`the address "${typed}" is taken as ${address}`, () => assert.equal(serviceAddress(typed), address));
}

for (const [typed, sentence] of Object.entries(WRONG)) {
  test(`the address "${typed}" is refused`, () => assert.throws(() => serviceAddress(typed), { message: sentence }));
}

test('an address that is missing is refused', () => {
  assert.throws(() => serviceAddress(undefined), { message: /not a web address/ });
});

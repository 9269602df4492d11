'use strict';

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const { test } = require('node:test');

const { WORDING, fresh } = require('../scripts/wording');

test('the wording is that of the API: if not, run "npm run wording"', () => {
  assert.equal(readFileSync(WORDING, 'utf8'), fresh());
});

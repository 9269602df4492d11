'use strict';

const { version: platformVersion } = require('zapier-platform-core');

const { version } = require('./package.json');
const authentication = require('./authentication');
const creates = require('./creates');
const { addApiKey } = require('./lib/client');
const { raiseProblems } = require('./lib/errors');
const searches = require('./searches');
const triggers = require('./triggers');

module.exports = {
  version,
  platformVersion,
  // Steps see what was left blank, and leave it alone by themselves. A 429 is mapped with all other answers.
  flags: { cleanInputData: false, throwForThrottlingEarly: false },
  authentication,
  beforeRequest: [addApiKey],
  afterResponse: [raiseProblems],
  triggers,
  searches,
  creates,
  searchOrCreates: {
    find_pass: {
      key: 'find_pass',
      display: { label: 'Find or Create Pass', description: 'Finds a pass, or creates one if there is none.' },
      search: 'find_pass',
      create: 'create_pass',
    },
  },
};

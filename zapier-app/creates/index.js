'use strict';

// The steps of this kind, in the order in which the editor lists them.
const steps = [
  require('./create_pass'),
  require('./update_pass'),
  require('./update_points'),
  require('./change_tier'),
  require('./redeem_pass'),
  require('./revoke_pass'),
  require('./reinstate_pass'),
  require('./api_request'),
];

module.exports = Object.fromEntries(steps.map((step) => [step.key, step]));

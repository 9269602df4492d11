'use strict';

// The steps of this kind, in the order in which the editor lists them.
const steps = [
  require('./pass_created'),
  require('./pass_installed'),
  require('./pass_uninstalled'),
  require('./points_changed'),
  require('./tier_changed'),
  require('./pass_redeemed'),
  require('./pass_revoked'),
  require('./pass_expired'),
  require('./program_list'),
  require('./tier_list'),
  require('./pass_list'),
];

module.exports = Object.fromEntries(steps.map((step) => [step.key, step]));

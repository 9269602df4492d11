'use strict';

const { call } = require('../lib/client');
const { dropdown } = require('../lib/lists');

// A program's tiers come at once: there is no second page.
const perform = async (z, bundle) => {
  const programId = bundle.inputData.program_id;
  if (!programId || bundle.meta?.page) {
    return [];
  }
  return (await call(z, bundle, 'GET', `/v1/programs/${encodeURIComponent(programId)}/tiers`)).data;
};

module.exports = dropdown('tier_list', 'Tier', perform, { id: 'tier_demo_bronze', name: 'Bronze' });

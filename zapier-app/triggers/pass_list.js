'use strict';

const { dropdown, page } = require('../lib/lists');

/** Says whose pass it is: by name, or what there is instead. */
function nameOf(pass) {
  const holder = [pass.first_name, pass.last_name].filter(Boolean).join(' ');
  return `${holder || pass.email || pass.external_id || pass.id} (${pass.program_name}, ${pass.status})`;
}

const perform = async (z, bundle) => {
  const passes = await page(z, bundle, '/v1/passes', { program_id: bundle.inputData.program_id || undefined });
  return passes.map((pass) => ({ id: pass.id, name: nameOf(pass) }));
};

module.exports = dropdown('pass_list', 'Pass', perform, {
  id: 'pass_019ab3c4d5e6a71f695bc7f5dc3f5e86',
  name: 'Ada Lovelace (Rosewater Club, active)',
});

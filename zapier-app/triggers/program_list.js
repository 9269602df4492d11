'use strict';

const { dropdown, page } = require('../lib/lists');

const perform = async (z, bundle) => {
  const programs = await page(z, bundle, '/v1/programs');
  return programs.map(({ id, name }) => ({ id, name }));
};

module.exports = dropdown('program_list', 'Program', perform, { id: 'prog_demo_membership', name: 'Rosewater Club' });

import { fileURLToPath } from 'node:url';
import { describeClient } from '../support/clients/find-client.ts';
import { describeScenarios } from '../support/clients/scenarios.ts';

/** PyPI's py-consul: the scenarios are Python, in a file of their own. */
const SCRIPT = fileURLToPath(new URL('py_consul_scenarios.py', import.meta.url));

describeClient('py-consul', 'py-consul', (python) => {
  describeScenarios({
    command: python,
    args: [SCRIPT],
    agent: ({ httpPort, name }) => ['127.0.0.1', String(httpPort), name],
    source: SCRIPT,
    names: /^def (test_\w+)/gm,
  });
});

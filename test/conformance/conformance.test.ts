import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openApiDocument } from '../../api/openapi/document.ts';
import { DescribedAnswers } from '../support/described-answers.ts';
import { KNOWN_DIFFERENCES, NOT_THERE_YET } from './known-differences.ts';
import { runScenario } from './replay/run-scenario.ts';
import type { ScenarioFile } from './replay/step.ts';

/**
 * Each recorded scenario against an agent in a process of its own. A step that differs on purpose is named in
 * known-differences.ts, and has to differ. Each answer has to be as the API's own description (api/openapi) says. CONFORMANCE_ONLY, a regular expression on `topic/scenario`, runs a part.
 */
const FOLDER = fileURLToPath(new URL('scenarios/', import.meta.url));
const ONLY = new RegExp(process.env.CONFORMANCE_ONLY ?? '');

const files = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => JSON.parse(readFileSync(`${FOLDER}${name}`, 'utf8')) as ScenarioFile);
const all = files.flatMap(({ topic, scenarios }) =>
  scenarios.map((scenario) => ({ id: `${topic}/${scenario.id}`, scenario })),
);
const chosen = all.filter(({ id }) => ONLY.test(id));
const described = new DescribedAnswers(openApiDocument({ version: 'test' }));

describe('recorded scenarios', () => {
  it.each(chosen)(
    '$id',
    async ({ id, scenario }) => {
      const { differences, compared, exchanges } = await runScenario(scenario);
      expect(compared).toBeGreaterThan(0);
      const known = [...Object.keys(KNOWN_DIFFERENCES), ...NOT_THERE_YET].filter((step) => step.startsWith(`${id}/`));
      const unexpected = differences.filter(({ step }) => !known.includes(`${id}/${step}`));
      expect(unexpected.map(({ step, text }) => `${id}/${step} ${text}`)).toEqual([]);
      // A difference that is gone is to be struck from the list.
      expect(differences.map(({ step }) => `${id}/${step}`)).toEqual(expect.arrayContaining(known));
      expect(exchanges.flatMap((exchange) => described.problems(exchange))).toEqual([]);
    },
    180_000,
  );

  it('are fewer than two in a hundred steps that differ on purpose, each of which exists', () => {
    const steps = all.flatMap(({ id, scenario }) =>
      scenario.steps.map((step, at) => `${id}/${step.id ?? String(at + 1).padStart(2, '0')}`),
    );
    const known = Object.keys(KNOWN_DIFFERENCES);
    expect(known.filter((step) => !steps.includes(step))).toEqual([]);
    expect(known.length).toBeLessThan(steps.length / 50);
  });
});

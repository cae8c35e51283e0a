import { mkdirSync, writeFileSync } from 'node:fs';

/** Writes the counts of a whole run to .cache/test-summary.json, for the closing line of .ci/run. */
export default class SummaryReporter {
  onRunComplete(_contexts, results) {
    mkdirSync('.cache', { recursive: true });
    const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites } = results;
    const summary = {
      passed: numPassedTests,
      failed: numFailedTests + numRuntimeErrorTestSuites,
      skipped: numPendingTests,
    };
    writeFileSync('.cache/test-summary.json', `${JSON.stringify(summary)}\n`);
  }
}

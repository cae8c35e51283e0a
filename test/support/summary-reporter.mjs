import { mkdirSync, writeFileSync } from 'node:fs';

/**
 * Says which real parts were missing and what to install, as the runner names no test of a file that is skipped whole. Writes
 * the counts of a whole run to .cache/test-summary.json, for the closing line of .ci/run.
 */
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
    for (const [hint, files] of skipped(results)) console.error(`skipped (files: ${files.size}): ${hint}`);
  }
}

/** The tests that stand for a missing part (`describeReal`), and the files that have them. */
function skipped({ testResults }) {
  const found = new Map();
  for (const { testFilePath, testResults: tests } of testResults) {
    for (const { status, title } of tests) {
      if (status !== 'pending' || !title.startsWith('needs ')) continue;
      found.set(title, (found.get(title) ?? new Set()).add(testFilePath));
    }
  }
  return found;
}

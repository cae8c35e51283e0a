import { parseAgentConfig } from '../../../agent/config.ts';
import { runClientAgent } from '../../../agent/main.ts';
import { createLogger } from '../../../core/log.ts';
import { Metrics } from '../../../core/metrics.ts';
import { SystemRandom } from '../../../core/random.ts';
import { FastClock } from '../fast-clock.ts';

/** An agent in client mode as a process of its own, whose time runs faster: `node fast-agent.ts FACTOR FLAG…`. */
const [factor, ...argv] = process.argv.slice(2);
const files = { readFile: () => '', readFolder: () => [], hostname: () => 'test' };
const { config } = parseAgentConfig(argv, files);
await runClientAgent(
  config,
  {
    clock: new FastClock(Number(factor)),
    log: createLogger({ level: config.logLevel, sink: process.stderr }),
    metrics: new Metrics(),
    random: new SystemRandom(),
    identity: { nodeId: '', address: '127.0.0.1', version: 'test', consulVersion: '1.21.4' },
  },
  { signal: new AbortController().signal, ready: () => {} },
);

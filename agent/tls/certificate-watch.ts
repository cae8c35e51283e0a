import type { Clock } from '../../core/clock.ts';
import type { RunContext, Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { TlsSettings } from '../config/agent-config.ts';
import { type ServerCertificate, validityProblem } from './server-certificate.ts';

const HOUR_MS = 3_600_000;

const GAUGES = {
  https: {
    name: 'lictor_http_certificate_remaining_seconds',
    help: 'Time until the certificate of the HTTPS listener expires; negative afterwards',
  },
  server: {
    name: 'lictor_server_certificate_remaining_seconds',
    help: "Time until the certificate of the servers' own port expires; negative afterwards",
  },
} as const;

/** A certificate and where it came from. */
export interface Served {
  readonly certificate: ServerCertificate;
  readonly settings: TlsSettings;
}

/** Says once an hour when a certificate has expired or will soon, and shows the time that is left as a metric. */
export class CertificateWatch implements Runnable {
  readonly name: string;
  readonly #deps: { readonly clock: Clock; readonly log: Logger };
  readonly #served: () => Served;

  constructor(
    deps: { clock: Clock; log: Logger; metrics: Metrics },
    served: () => Served,
    listener: keyof typeof GAUGES = 'https',
  ) {
    this.name = `${listener}-certificate`;
    this.#deps = deps;
    this.#served = served;
    deps.metrics.observedGauge(GAUGES[listener], () => (served().certificate.notAfterMs - deps.clock.now()) / 1000);
  }

  async run(ctx: RunContext): Promise<void> {
    ctx.ready();
    while (!ctx.signal.aborted) {
      this.look();
      await this.#deps.clock.sleep(HOUR_MS, ctx.signal);
    }
  }

  /** Looks at once, as after a change. */
  look(): void {
    const { certificate, settings } = this.#served();
    const text = validityProblem(certificate, settings, this.#deps.clock.now());
    if (text !== undefined) this.#deps.log.warn('certificate', { text });
  }
}

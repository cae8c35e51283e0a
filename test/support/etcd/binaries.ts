import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeReal, findProgram } from '../require-real.ts';

const buildScript = fileURLToPath(new URL('../../../scripts/build-etcd', import.meta.url));

/** An etcd to run. */
export interface EtcdBinary {
  /** For names of tests. */
  readonly name: string;
  readonly file: string | undefined;
  readonly install: string;
}

function installed(): string | undefined {
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (assets && existsSync(join(assets, 'etcd'))) return join(assets, 'etcd');
  return findProgram('etcd');
}

function built(): string | undefined {
  const file = execFileSync(buildScript, ['--path'], { encoding: 'utf8' }).trim();
  return existsSync(file) ? file : undefined;
}

/** The one that the machine has, such as Debian's 3.4. */
export const INSTALLED_ETCD: EtcdBinary = {
  name: 'installed etcd',
  file: installed(),
  install: "install etcd (Debian: etcd-server), 'scripts/install-test-tools.sh' does",
};

/** The one of `scripts/build-etcd`. */
export const CURRENT_ETCD: EtcdBinary = {
  name: 'current etcd',
  file: built(),
  install: "run 'scripts/build-etcd' (needs Go)",
};

/** `describe` for tests that need this etcd; skipped, or failed when real parts are required, without it. */
export function describeEtcd(etcd: EtcdBinary, name: string, fn: (file: string) => void): void {
  describeReal(etcd.name, etcd.file !== undefined, etcd.install, name, () => fn(etcd.file!));
}

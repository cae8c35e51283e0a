import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeReal, findProgram } from '../require-real.ts';

/** The programs of a control plane, each with its full path. */
export interface KubeBinaries {
  readonly etcd: string;
  readonly apiserver: string;
  readonly kubectl: string;
}

const HOW = {
  etcd: "install etcd (Debian: etcd-server), 'scripts/install-test-tools.sh' does, or set KUBEBUILDER_ASSETS",
  apiserver: "run 'make kube' (needs Go), put kube-apiserver on PATH, or set KUBEBUILDER_ASSETS",
  kubectl: 'install kubectl, or set KUBEBUILDER_ASSETS',
};

const buildScript = fileURLToPath(new URL('../../../scripts/build-kube', import.meta.url));

function find(program: string): string | undefined {
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (assets && existsSync(join(assets, program))) return join(assets, program);
  return findProgram(program);
}

function builtApiserver(): string | undefined {
  const file = execFileSync(buildScript, ['--path'], { encoding: 'utf8' }).trim();
  return existsSync(file) ? file : undefined;
}

/**
 * The programs, from the first place that has them: `KUBEBUILDER_ASSETS`, PATH, and for kube-apiserver what `make kube`
 * built; or what is missing and how to get it.
 */
export function findKubeBinaries(): KubeBinaries | { missing: string; install: string } {
  const found = {
    etcd: find('etcd'),
    apiserver: find('kube-apiserver') ?? builtApiserver(),
    kubectl: find('kubectl'),
  };
  const missing = (Object.keys(found) as (keyof typeof found)[]).filter((name) => !found[name]);
  if (missing.length === 0) return found as KubeBinaries;
  return { missing: missing.join(', '), install: missing.map((name) => HOW[name]).join('; ') };
}

/** `describe` for tests that need a real API server; skipped, or failed when real parts are required, without one. */
export function describeKube(name: string, fn: () => void): void {
  const found = findKubeBinaries();
  if ('missing' in found) describeReal(found.missing, false, found.install, name, fn);
  else describe(name, fn);
}

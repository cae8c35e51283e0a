import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { freePort } from '../processes/free-port.ts';
import { startTied, type TiedProcess } from '../processes/tied-process.ts';
import type { KubeBinaries } from './binaries.ts';

/** Where a control plane lies and listens. All of it is plain data, so one process can tell another. */
export interface ControlPlanePlace {
  readonly folder: string;
  readonly etcdFolder: string;
  readonly etcdPort: number;
  readonly etcdPeerPort: number;
  readonly apiserverPort: number;
  readonly token: string;
}

/** A new place: free ports, a token, the key of the service accounts, the token file. */
export async function preparePlace(folder: string, etcdFolder: string): Promise<ControlPlanePlace> {
  mkdirSync(folder, { recursive: true });
  const token = randomUUID();
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  writeFileSync(join(folder, 'service-account.key'), privateKey, { mode: 0o600 });
  writeFileSync(join(folder, 'tokens.csv'), `${token},admin,admin,"system:masters"\n`, { mode: 0o600 });
  const [etcdPort, etcdPeerPort, apiserverPort] = [await freePort(), await freePort(), await freePort()];
  return { folder, etcdFolder, etcdPort, etcdPeerPort, apiserverPort, token };
}

export function apiserverUrl(place: ControlPlanePlace): string {
  return `https://127.0.0.1:${place.apiserverPort}`;
}

export function etcdUrl(place: ControlPlanePlace): string {
  return `http://127.0.0.1:${place.etcdPort}`;
}

/** The certificate that the API server made for itself at its first start; it is its own authority. */
export function caFile(place: ControlPlanePlace): string {
  return join(place.folder, 'certs', 'apiserver.crt');
}

/** Whom the processes are tied to, when not to the caller. */
interface Tie {
  readonly tiedTo?: number;
  readonly removeOnDeath?: readonly string[];
}

/** Starts etcd on the data of the place, empty or not, and waits until it serves. */
export async function startEtcd(binaries: KubeBinaries, place: ControlPlanePlace, tie: Tie = {}): Promise<TiedProcess> {
  const client = etcdUrl(place);
  const peer = `http://127.0.0.1:${place.etcdPeerPort}`;
  const etcd = await startTied({
    name: 'etcd',
    command: binaries.etcd,
    args: [
      '--name=default',
      `--data-dir=${place.etcdFolder}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ],
    // Debian's package reads further settings from the environment of its service; a test's must not.
    env: { ETCD_UNSUPPORTED_ARCH: process.arch === 'arm64' ? 'arm64' : undefined },
    logFile: join(place.folder, 'etcd.log'),
    ...tie,
  });
  await waitUntilServing(etcd, () => getOk(`${client}/health`));
  return etcd;
}

/** Starts kube-apiserver on the etcd of the place and waits until it is ready. */
export async function startApiserver(
  binaries: KubeBinaries,
  place: ControlPlanePlace,
  tie: Tie = {},
): Promise<TiedProcess> {
  const key = join(place.folder, 'service-account.key');
  const apiserver = await startTied({
    name: 'kube-apiserver',
    command: binaries.apiserver,
    args: [
      `--etcd-servers=${etcdUrl(place)}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${place.apiserverPort}`,
      `--cert-dir=${join(place.folder, 'certs')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${key}`,
      `--service-account-signing-key-file=${key}`,
      `--token-auth-file=${join(place.folder, 'tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.96.0.0/16',
      '--endpoint-reconciler-type=none',
      // Pods are made without a controller manager, so nothing would create the account that the plug-in asks for.
      '--disable-admission-plugins=ServiceAccount',
      '--profiling=false',
    ],
    logFile: join(place.folder, 'kube-apiserver.log'),
    ...tie,
  });
  await waitUntilServing(apiserver, () => getOk(`${apiserverUrl(place)}/readyz`));
  return apiserver;
}

/** A port that another process took in the meantime; the caller tries again with other ones. */
export class PortTakenError extends Error {}

async function waitUntilServing(process: TiedProcess, serves: () => Promise<boolean>): Promise<void> {
  // A cold start takes 5 s; the rest is for a machine that is busy with other tests.
  const deadline = performance.now() + 90_000;
  for (;;) {
    if (await serves()) return;
    const failure = process.exit ? `ended (${JSON.stringify(process.exit)})` : 'is not ready after 90 s';
    if (process.exit || performance.now() > deadline) {
      await process.kill();
      const ErrorType = process.log().includes('address already in use') ? PortTakenError : Error;
      throw new ErrorType(`${process.name} ${failure}; its last lines:\n${process.logTail()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether a GET is answered with 200. Certificates are not looked at: this only asks whether somebody is there. */
function getOk(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = url.startsWith('https:') ? httpsRequest : httpRequest;
    const call = request(url, { rejectUnauthorized: false, timeout: 2000, agent: false } as object, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    call.once('timeout', () => call.destroy());
    call.once('error', () => resolve(false));
    call.end();
  });
}

/** A kubeconfig for the address, with the CA embedded when the address is https. */
export function writeKubeconfig(
  file: string,
  options: { url: string; token: string; caFile?: string; namespace?: string },
): void {
  const cluster: Record<string, string | boolean> = { server: options.url };
  // The client library takes an http address, such as a proxy's, only with this word.
  if (options.url.startsWith('http:')) cluster['insecure-skip-tls-verify'] = true;
  if (options.caFile) cluster['certificate-authority-data'] = readFileSync(options.caFile).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'test', user: { token: options.token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: options.namespace } }],
    'current-context': 'test',
  };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config, null, 2), { mode: 0o600 });
}

import { join } from 'node:path';
import { fastTempFolder, removeFolder, tempFolder } from '../processes/temp-folder.ts';
import type { TiedProcess } from '../processes/tied-process.ts';
import { findKubeBinaries, type KubeBinaries } from './binaries.ts';
import {
  apiserverUrl,
  type ControlPlanePlace,
  caFile,
  etcdUrl,
  PortTakenError,
  preparePlace,
  startApiserver,
  startEtcd,
  writeKubeconfig,
} from './control-plane.ts';
import { compactEtcd } from './etcd-history.ts';
import { Kube } from './kube.ts';

/** A control plane that this test started and may therefore break. */
export class OwnKube extends Kube {
  #etcd: TiedProcess;
  #apiserver: TiedProcess;

  constructor(binaries: KubeBinaries, started: StartedPlane) {
    super(binaries, started.place);
    this.#etcd = started.etcd;
    this.#apiserver = started.apiserver;
  }

  /** The running etcd: `pause`, `resume`, `kill`, `log`. */
  get etcd(): TiedProcess {
    return this.#etcd;
  }

  /** The running kube-apiserver: `pause`, `resume`, `kill`, `log`. */
  get apiserver(): TiedProcess {
    return this.#apiserver;
  }

  /** Ends the API server as a crash would; its address then refuses connections until `startApiserver`. */
  async killApiserver(): Promise<void> {
    await this.#apiserver.kill();
  }

  /** Starts it again with the same address, certificate and data; waits until it is ready. */
  async startApiserver(): Promise<void> {
    this.#apiserver = await startApiserver(this.binaries, this.place, cleanUp(this.place));
  }

  async killEtcd(): Promise<void> {
    await this.#etcd.kill();
  }

  /** Starts it again on the same data and address; waits until it serves. */
  async startEtcd(): Promise<void> {
    this.#etcd = await startEtcd(this.binaries, this.place);
  }

  /**
   * Forgets the history of etcd up to now and returns that revision. Until the API server is restarted it still serves
   * watches from before out of its own cache; afterwards they are answered 410.
   */
  compact(): Promise<number> {
    return compactEtcd(etcdUrl(this.place));
  }

  override async stop(): Promise<void> {
    await super.stop();
    // Nothing in it is kept, so nobody waits for an orderly end.
    await Promise.all([this.#apiserver.kill(), this.#etcd.kill()]);
    removePlace(this.place);
  }
}

/** A control plane that runs. */
export interface StartedPlane {
  readonly place: ControlPlanePlace;
  readonly etcd: TiedProcess;
  readonly apiserver: TiedProcess;
}

/** The folders go with the API server, if the test's process ends without stopping it. */
function cleanUp(place: ControlPlanePlace, removeToo: string[] = []): { removeOnDeath: string[] } {
  return { removeOnDeath: [place.folder, place.etcdFolder, ...removeToo] };
}

export function removePlace(place: ControlPlanePlace): void {
  removeFolder(place.folder);
  removeFolder(place.etcdFolder);
}

/** Starts etcd and the API server in a new place; on ports that were taken in between it tries again. */
export async function startPlane(
  binaries: KubeBinaries,
  tiedTo?: number,
  removeToo: string[] = [],
): Promise<StartedPlane> {
  for (let tries = 1; ; tries++) {
    // etcd writes 64 MB ahead for its log and grows with the objects.
    const place = await preparePlace(tempFolder('kube'), fastTempFolder('etcd', 2 ** 29));
    let etcd: TiedProcess | undefined;
    try {
      etcd = await startEtcd(binaries, place, { tiedTo });
      const apiserver = await startApiserver(binaries, place, { tiedTo, ...cleanUp(place, removeToo) });
      writeKubeconfig(join(place.folder, 'kubeconfig'), {
        url: apiserverUrl(place),
        token: place.token,
        caFile: caFile(place),
      });
      return { place, etcd, apiserver };
    } catch (error) {
      await etcd?.kill();
      removePlace(place);
      if (!(error instanceof PortTakenError) || tries === 5) throw error;
    }
  }
}

/**
 * Starts a real etcd and a real kube-apiserver of one's own on free ports, ready after about 5 s. They end with `stop()`,
 * or with this process however it ends. Tests that break nothing of the cluster's use `sharedKube` instead.
 * @throws Error saying what to install when a program is missing, or with the last lines of the one that failed.
 */
export async function startKube(): Promise<OwnKube> {
  const binaries = findKubeBinaries();
  if ('missing' in binaries) throw new Error(`${binaries.missing} is missing: ${binaries.install}`);
  return new OwnKube(binaries, await startPlane(binaries));
}

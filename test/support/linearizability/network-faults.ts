import { CALLER, type LinkFault } from '../network/broken-network.ts';
import { between, type Fault, lasts, type NemesisTargets, victim } from './nemesis.ts';

const NOTHING_PASSES: LinkFault = { loss: 1 };

/** What happens to the network between the hosts. */
export const NETWORK_FAULTS: readonly Fault[] = [isolate, cutOneWay, cutPair, muteToClients, disturb];

/** A host that no other one reaches; clients do. */
async function isolate(targets: NemesisTargets): Promise<string> {
  const host = await victim(targets);
  await targets.network.bothWays([host], others(targets, host), NOTHING_PASSES);
  return `host ${host} was alone for ${await healed(targets)} ms`;
}

async function cutOneWay(targets: NemesisTargets): Promise<string> {
  const { network, random } = targets;
  const host = await victim(targets);
  const rest = others(targets, host);
  const deaf = random.next() < 0.5;
  await (deaf ? network.oneWay(rest, [host], NOTHING_PASSES) : network.oneWay([host], rest, NOTHING_PASSES));
  return `host ${host} ${deaf ? 'heard' : 'reached'} no other one for ${await healed(targets)} ms`;
}

/** Two hosts that only a third one reaches. */
async function cutPair(targets: NemesisTargets): Promise<string> {
  const host = await victim(targets);
  const [other] = others(targets, host);
  await targets.network.bothWays([host], [other!], NOTHING_PASSES);
  return `hosts ${host} and ${other} were cut off from each other for ${await healed(targets)} ms`;
}

/** Requests arrive, answers do not. */
async function muteToClients(targets: NemesisTargets): Promise<string> {
  const host = await victim(targets);
  await targets.network.oneWay([host], [CALLER], NOTHING_PASSES);
  return `host ${host} could not answer clients for ${await healed(targets)} ms`;
}

async function disturb(targets: NemesisTargets): Promise<string> {
  const { network, random, servers } = targets;
  const all = servers.map((_, host) => host);
  const fault = { loss: between(random, 0, 15) / 100, delayMs: between(random, 5, 100) };
  await network.oneWay(all, [...all, CALLER], fault);
  return `${fault.loss * 100} % were lost and all came ${fault.delayMs} ms late for ${await healed(targets)} ms`;
}

async function healed(targets: NemesisTargets): Promise<number> {
  try {
    return await lasts(targets);
  } finally {
    await targets.network.heal();
  }
}

function others({ servers }: NemesisTargets, host: number): number[] {
  return servers.map((_, other) => other).filter((other) => other !== host);
}

import type { Answer, Call, Operation, Seen } from './operations.ts';

/** A key as one server without faults would keep it. */
export interface KeyState {
  /** `undefined`: there is no such key. */
  readonly value?: string;
  /** ModifyIndex, once an answer has told it: writes are answered without theirs. */
  readonly index?: number;
  /** The highest index that earlier states are known to have had; later ones are above it. */
  readonly floor: number;
  readonly session?: string;
}

export const NO_KEY: KeyState = { floor: 0 };

/** The same text for the same state. */
export function stateText({ value, index, floor, session }: KeyState): string {
  return `${value}\n${index}\n${floor}\n${session}`;
}

/**
 * The state after an operation took effect here, the same object when it changes nothing;
 * `undefined`: it cannot have been answered as it was.
 */
export function step(state: KeyState, { call, end, answer }: Operation): KeyState | undefined {
  if (call.kind === 'read') return read(state, answer as Seen | undefined);
  if (end !== Infinity) return write(state, call, answer);
  return write(state, call, true) ?? state;
}

function read(state: KeyState, seen: Seen | undefined): KeyState | undefined {
  if (seen === undefined) return state.value === undefined ? state : undefined;
  if (seen.value !== state.value || seen.session !== state.session) return undefined;
  return withIndex(state, seen.index);
}

/** The state knowing its index; `undefined` when it has another. */
function withIndex(state: KeyState, index: number): KeyState | undefined {
  if (state.index !== undefined) return state.index === index ? state : undefined;
  return index > state.floor ? { ...state, index } : undefined;
}

function write(state: KeyState, call: Exclude<Call, { kind: 'read' }>, answer: Answer): KeyState | undefined {
  switch (call.kind) {
    case 'write':
      return answer ? changed(state, call.value, state.session) : undefined;
    case 'cas':
      return cas(state, call, answer === true);
    case 'delete':
      if (!answer) return undefined;
      return state.value === undefined ? state : { floor: state.index ?? state.floor };
    case 'acquire': {
      const free = state.session === undefined || state.session === call.session;
      if (free !== answer) return undefined;
      return free ? changed(state, call.value, call.session) : state;
    }
    case 'release': {
      const held = state.session === call.session;
      if (held !== answer) return undefined;
      return held ? changed(state, call.value, undefined) : state;
    }
    case 'guarded': {
      const held = state.session === call.session;
      if (held !== answer) return undefined;
      return held ? changed(state, call.value, state.session) : state;
    }
    case 'destroy':
      if (!answer) return undefined;
      return state.session === call.session ? changed(state, state.value!, undefined) : state;
  }
}

function cas(state: KeyState, call: { value: string; index: number }, held: boolean): KeyState | undefined {
  if (call.index === 0 || state.value === undefined) {
    const holds = call.index === 0 && state.value === undefined;
    if (holds !== held) return undefined;
    return holds ? changed(state, call.value, state.session) : state;
  }
  const matched = withIndex(state, call.index);
  if (held) return matched && changed(matched, call.value, state.session);
  // An index that is not known yet may be another one.
  return state.index === call.index ? undefined : state;
}

function changed(state: KeyState, value: string, session: string | undefined): KeyState {
  return { value, floor: state.index ?? state.floor, session };
}

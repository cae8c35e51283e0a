import { AppError } from '../../core/errors.ts';
import { decodeBody, list, NUMBER, object, STRING } from '../decode.ts';

/** A node's place in the network (Vivaldi with heights, as serf computes it); all numbers are seconds but `Error`. */
export interface Coordinate {
  readonly Vec: readonly number[];
  readonly Error: number;
  readonly Adjustment: number;
  readonly Height: number;
}

/** One row of /v1/coordinate/nodes. */
export interface CoordinateEntry {
  readonly Node: string;
  readonly Segment: string;
  readonly Coord: Coordinate;
}

/** One row of /v1/coordinate/datacenters. */
export interface DatacenterCoordinates {
  readonly Datacenter: string;
  readonly AreaID: string;
  readonly Coordinates: readonly CoordinateEntry[];
}

/** Dimensions of serf's coordinates. */
const DIMENSIONS = 8;
/** serf's least height, 10 µs, and the error of a node that has measured nothing. */
const HEIGHT_MIN = 1e-5;
const ERROR_MAX = 1.5;
/** No two nodes are further apart, in seconds: what exceeds it is a defect of its sender and would spoil every order. */
const MAX_SECONDS = 3600;

/** Where a node is that has measured nothing yet. */
export const ORIGIN: Coordinate = {
  Vec: new Array<number>(DIMENSIONS).fill(0),
  Error: ERROR_MAX,
  Adjustment: 0,
  Height: HEIGHT_MIN,
};

export const COORDINATE_BODY = object(
  {
    Datacenter: STRING,
    Node: STRING,
    Segment: STRING,
    Coord: object({ Vec: list(NUMBER), Error: NUMBER, Adjustment: NUMBER, Height: NUMBER }),
  },
  ['Partition', 'WriteRequest', 'Token'],
);

/** A decoded body of PUT /v1/coordinate/update. */
export type CoordinateUpdate = CoordinateEntry & { readonly Datacenter: string };

/** @throws AppError `badRequest` naming the field. */
export function decodeCoordinateUpdate(body: Buffer): CoordinateUpdate {
  const read = (decodeBody(COORDINATE_BODY, body) ?? {}) as Partial<CoordinateUpdate> & { Coord?: Partial<Coordinate> };
  return {
    Datacenter: read.Datacenter ?? '',
    Node: read.Node ?? '',
    Segment: read.Segment ?? '',
    Coord: { Vec: [], Error: 0, Adjustment: 0, Height: 0, ...read.Coord },
  };
}

/** @throws AppError `badRequest` naming the field that makes no coordinate. */
export function checkCoordinate(coordinate: Coordinate): void {
  if (coordinate.Vec.length !== DIMENSIONS) {
    throw bad('Vec', `has ${coordinate.Vec.length} dimensions; want ${DIMENSIONS}`);
  }
  coordinate.Vec.forEach((value, at) => {
    checkRange(`Vec[${at}]`, value, -MAX_SECONDS);
  });
  checkRange('Adjustment', coordinate.Adjustment, -MAX_SECONDS);
  checkRange('Height', coordinate.Height, 0);
  checkRange('Error', coordinate.Error, 0);
}

function checkRange(field: string, value: number, least: number): void {
  if (value >= least && value <= MAX_SECONDS) return;
  throw bad(field, `is ${value}; want a number from ${least} to ${MAX_SECONDS}`);
}

function bad(field: string, problem: string): AppError {
  return new AppError('badRequest', `rejected bad coordinate: Coord.${field} ${problem}`, {
    facts: { field: `Coord.${field}` },
  });
}

/** The estimated round trip between two nodes, in seconds. */
export function roundTripSeconds(a: Coordinate, b: Coordinate): number {
  let squares = 0;
  for (let at = 0; at < a.Vec.length; at++) squares += (a.Vec[at]! - (b.Vec[at] ?? 0)) ** 2;
  const distance = Math.sqrt(squares) + a.Height + b.Height;
  const adjusted = distance + a.Adjustment + b.Adjustment;
  // An adjustment corrects what the model overestimates; it never makes a round trip negative.
  return adjusted > 0 ? adjusted : distance;
}

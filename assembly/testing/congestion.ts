/* Test-only entry: congestion controllers on subflows that nothing else touches. No part of the shipped module. */
import { LINK_CHECKSUM, LINK_VNET_HEADER, TCP_ESTABLISHED } from '../abi';
import {
  congestionAcked,
  congestionChoose,
  congestionEcn,
  congestionFollow,
  congestionPenalise,
  congestionRejoin,
} from '../congestion/control';
import { poolTake } from '../memory/pool';
import { roundRobin, roundRobinTaken } from '../scheduler/round-robin';
import { linkAdd } from '../stack/links';
import { create } from '../stack/stack';
import { Connection, connectionPool } from '../state/connection';
import { Subflow, subflowPool } from '../state/subflow';
import { tuningOpen } from '../state/tuning';
import { rttSample, rttSampleForget } from '../tcp/rtt';
import { SIGNAL_ACKED } from '../tcp/signals';

const MSS: u32 = 1000;
let connection: usize = 0;
let link: i32 = 0;

/** Makes a connection that uses a controller. Returns 0 or an error. */
export function open(controller: u32): i32 {
  const result = create(8 << 20, 1, 2, 3, 4);
  if (result < 0) return result;
  link = linkAdd(1500, LINK_VNET_HEADER | LINK_CHECKSUM);
  connection = poolTake(connectionPool);
  if (link < 0 || connection == 0) return -1;
  const at = changetype<Connection>(connection);
  at.multipath = 1;
  at.congestion = <u8>controller;
  tuningOpen(at);
  return 0;
}

/** Adds an established subflow in congestion avoidance; its number counts from 0. */
export function add(cwnd: u32, srtt: u32): i32 {
  const taken = poolTake(subflowPool);
  if (taken == 0) return -1;
  const at = changetype<Connection>(connection);
  const subflow = changetype<Subflow>(taken);
  subflow.live = 1;
  subflow.owner = connection;
  subflow.id = ++at.subflowCount;
  subflow.link = link;
  subflow.state = <u8>TCP_ESTABLISHED;
  subflow.mss = MSS;
  subflow.cwnd = cwnd;
  subflow.ssthresh = MSS;
  subflow.srtt = srtt;
  subflow.sndWindow = 1 << 20;
  subflow.cwndLimited = 1;
  subflow.congestion = at.congestion;
  if (at.subflows == 0) {
    at.subflows = taken;
  } else {
    let last = changetype<Subflow>(at.subflows);
    while (last.next != 0) last = changetype<Subflow>(last.next);
    last.next = taken;
  }
  return <i32>subflow.id - 1;
}

/** An ACK of `bytes`, with an RTT sample of `rtt` µs or none for 0. */
export function acked(index: u32, bytes: u32, rtt: u32): void {
  const subflow = at(index);
  rttSampleForget();
  const srtt = subflow.srtt;
  if (rtt != 0) rttSample(subflow, rtt);
  subflow.srtt = srtt;
  subflow.bytesAcked += bytes;
  subflow.sndUna += bytes;
  congestionAcked(subflow, SIGNAL_ACKED, bytes, bytes);
}

/** A round trip is full of bytes in flight: it ends when they are acknowledged. */
export function sent(index: u32): void {
  at(index).sndNxt = at(index).sndUna + at(index).cwnd;
}

/** A congestion event while `flight` bytes were in flight. */
export function congested(index: u32, flight: u32): void {
  at(index).outstanding = flight;
  congestionEcn(at(index));
  at(index).outstanding = 0;
}

export function penalise(index: u32): bool {
  return congestionPenalise(at(index));
}

export function choose(index: u32, controller: u32): void {
  congestionChoose(at(index), <u8>controller);
}

export function rejoin(index: u32): void {
  congestionRejoin(at(index));
}

export function follow(controller: u32): void {
  congestionFollow(changetype<Connection>(connection), <u8>controller);
}

export function controllerOf(index: u32): u32 {
  return at(index).congestion;
}

export function isOwn(index: u32): u32 {
  return at(index).congestionOwn;
}

export function cwndOf(index: u32): u32 {
  return at(index).cwnd;
}

export function setWindow(index: u32, cwnd: u32, ssthresh: u32): void {
  at(index).cwnd = cwnd;
  at(index).ssthresh = ssthresh;
}

export function ssthreshOf(index: u32): u32 {
  return at(index).ssthresh;
}

export function setWeight(index: u32, weight: u32): void {
  at(index).weight = <u8>(weight - 1);
}

/** One decision of round-robin: a segment goes to the subflow of this number. */
export function turn(): i32 {
  const chosen = roundRobin(changetype<Connection>(connection));
  if (chosen == 0) return -1;
  roundRobinTaken(changetype<Connection>(connection), changetype<Subflow>(chosen), MSS);
  return <i32>changetype<Subflow>(chosen).id - 1;
}

function at(index: u32): Subflow {
  let found = changetype<Connection>(connection).subflows;
  for (; index > 0; index--) found = changetype<Subflow>(found).next;
  return changetype<Subflow>(found);
}

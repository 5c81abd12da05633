const INTRO = `# The ABI of the module

\`build/mptcp.wasm\` (with SIMD) and \`build/mptcp-scalar.wasm\` (without) are the same stack. The module imports
nothing: it reads no clock, opens no socket and calls nobody back. A host gives it time, random bytes, configuration
and packets, and takes packets, events and one next deadline from it. The same calls with the same arguments give the
same results, bit for bit.

## Numbers, errors, handles

- Only i32 and i64 cross the border. A result from 0 up is a count, a handle or an address; below zero it is one of
  the [errors](#errors). \`ERR_DONE\` means "nothing to do now" and is no failure.
- Addresses are offsets into \`memory\`. A host that reads i32 with a sign treats them as unsigned (\`>>> 0\` in
  JavaScript).
- A handle names a listener or a connection, is never 0, and carries a generation: after \`mptcp_close\` or
  \`mptcp_abort\` it is stale and gives \`ERR_HANDLE\`, never another connection.
- IP addresses are 128-bit numbers in two halves, \`hi\` and \`lo\`; IPv4 is \`::ffff:a.b.c.d\`.
- Times are µs, sizes are bytes, rates are bytes per second.
- No packet, argument or order of calls makes the module trap. A trap is a bug.

## Memory

- \`mptcp_create\` grows \`memory\` once, to the budget it is given. It never grows again, so views of it stay valid
  from then on, and so do the addresses of receive slots, rings, records and the scratch area.
- When the budget is used up the module refuses new work with \`ERR_NO_MEMORY\` or drops the packet and counts it.
- Records are little-endian, aligned as in C, and padded to a multiple of 8 bytes.
- What \`mptcp_send_reserve\`, \`mptcp_recv_peek\`, \`mptcp_transmit\`, \`mptcp_connection_info\` and
  \`mptcp_subflow_info\` point at is valid until the next call into the module, except that the room reserved last on
  a connection and the bytes shown last stay until \`mptcp_send_commit\` and \`mptcp_recv_consume\` on it.

## The order of calls

\`mptcp_create\` comes first and once, then links, addresses, routes and endpoints. From then on a host goes round:

1. \`mptcp_time(now)\`: sets the clock and runs the timers that are due.
2. \`mptcp_ingest(link, slot, length)\` for each packet that came, after writing it into a receive slot
   (\`mptcp_rx_slot\`). The slot is free again when the call returns.
3. \`mptcp_events(max)\` until it returns 0: each fills the event ring, oldest connection first. Events are kept per
   connection and coalesce, so none without an id is ever lost: \`EVENT_READABLE\` says "read until \`ERR_DONE\`".
4. What the application does: accept, peek and consume, reserve and commit, connect, close.
5. \`mptcp_transmit(link, max)\` for each link until it returns 0: each fills the descriptor ring. The host sends or
   drops these packets before its next call.
6. \`mptcp_deadline()\`: sleep until then, or until a packet comes or the application acts.

Reading without a copy: \`mptcp_recv_peek\` gives the number of bytes and puts their address into \`Result\`;
\`mptcp_recv_consume\` frees them, which opens the window. Writing without a copy: \`mptcp_send_reserve\`, write at the
address in \`Result\`, \`mptcp_send_commit\`. \`mptcp_recv\` and \`mptcp_send\` do the same by way of the scratch area.
`;

/** The reader's side: `docs/abi.md`. Takes the result of `readSchema`, returns the file's text. */
export function renderDocs({ version, groups, records, calls }, banner) {
  const out = [`<!-- ${banner.join(' ')} -->`, '', INTRO, `This page describes version ${version} of the ABI.`, ''];
  out.push('## Calls', '', 'The module exports `memory` and these functions, and nothing else.', '');
  for (const call of calls) {
    const params = call.params.map((param) => `${param.name}: ${param.type}`).join(', ');
    out.push(`### ${call.name}`, '', '```', `${call.name}(${params}) -> ${call.returns}`, '```', '', call.doc, '');
  }
  out.push('## Records', '');
  for (const record of records) {
    out.push(`### ${record.name}`, '', `${record.doc} ${record.size} bytes.`, '');
    out.push('| offset | type | field | |', '| ---: | --- | --- | --- |');
    for (const field of record.fields) {
      const type = field.count === undefined ? field.type : `${field.type}[${field.count}]`;
      out.push(`| ${field.offset} | ${type} | \`${field.name}\` | ${cell(field.doc)} |`);
    }
    out.push('');
  }
  out.push('## Constants', '');
  for (const group of groups) {
    out.push(`### ${group.name[0].toUpperCase()}${group.name.slice(1)}`, '', group.doc, '');
    out.push('| value | name | |', '| ---: | --- | --- |');
    for (const constant of group.constants) {
      out.push(`| ${constant.value} | \`${constant.name}\` | ${cell(constant.doc)} |`);
    }
    out.push('');
  }
  return `${out.join('\n').trimEnd()}\n`;
}

/** A bar would end the cell of a table. */
function cell(text) {
  return text.replaceAll('|', '\\|');
}

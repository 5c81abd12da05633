#!/bin/sh
# Writes NAME.tsv beside every NAME.pcap: what tshark reads in each packet, one line a packet. Needs tshark (4.0 wrote
# the files here); the tests need only the result. Usage: sh test/captures/read.sh
set -eu
cd "$(dirname "$0")"

fields='
frame.number
ip.src ip.dst ip.ttl ip.dsfield.ecn ip.hdr_len ip.len
ipv6.src ipv6.dst ipv6.hlim ipv6.tclass.ecn ipv6.plen
tcp.srcport tcp.dstport tcp.seq_raw tcp.ack_raw tcp.flags tcp.window_size_value tcp.urgent_pointer
tcp.hdr_len tcp.len tcp.checksum.status
tcp.option_kind tcp.option_len
tcp.options.mss_val tcp.options.wscale.shift
tcp.options.timestamp.tsval tcp.options.timestamp.tsecr
tcp.options.sack_le tcp.options.sack_re
tcp.options.mptcp.subtype tcp.options.mptcp.version tcp.options.mptcp.flags tcp.options.mptcp.backup.flag
tcp.options.mptcp.sendkey tcp.options.mptcp.recvkey
tcp.options.mptcp.recvtok tcp.options.mptcp.sendrand tcp.options.mptcp.sendtrunchmac tcp.options.mptcp.sendhmac
tcp.options.mptcp.rawdataack tcp.options.mptcp.rawdataseqno tcp.options.mptcp.subflowseqno
tcp.options.mptcp.datalvllen tcp.options.mptcp.checksum
tcp.options.mptcp.addrid tcp.options.mptcp.echo tcp.options.mptcp.ipv4 tcp.options.mptcp.ipv6
tcp.options.mptcp.port tcp.options.mptcp.addaddrtrunchmac
tcp.options.mptcp.rst_reason
mptcp.expected_token mptcp.expected_idsn
'

columns=''
for field in $fields; do
  columns="$columns -e $field"
done

for capture in *.pcap; do
  # shellcheck disable=SC2086 # the columns are separate arguments
  tshark -r "$capture" -o tcp.check_checksum:TRUE -o tcp.relative_sequence_numbers:FALSE \
    -T fields -E header=y -E occurrence=a -E aggregator=, $columns >"${capture%.pcap}.tsv"
done

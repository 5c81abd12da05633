/*
 * Made from assembly/abi/schema.json by assembly/abi/generate.mjs (npm run abi): edit the schema, not this file.
 *
 * Constants, records and calls of the module, for hosts written in C or C++ (C11, C++11 or later).
 * The prototypes give the signatures of the exported functions: a runtime that turns the module into native
 * code can link against them, others look the functions up by name. Addresses are offsets into the memory
 * of the module; all numbers in records are little-endian.
 */
#ifndef MPTCP_WASM_H
#define MPTCP_WASM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define MPTCP_WASM_ASSERT(condition) static_assert(condition, #condition)
extern "C" {
#else
#define MPTCP_WASM_ASSERT(condition) _Static_assert(condition, #condition)
#endif

/* Raised when a call or record changes. */
#define MPTCP_WASM_ABI_VERSION 1

/* Sizes fixed by the ABI. */
enum mptcp_wasm_limits {
  /* receive slots, numbered from 0 */
  MPTCP_WASM_RX_SLOTS = 8,
  /* bytes one receive slot holds: a virtio-net header and the largest IP packet */
  MPTCP_WASM_RX_SLOT_BYTES = 65600,
  /* transmit descriptors one call of mptcp_transmit can fill */
  MPTCP_WASM_TX_BATCH = 64,
  /* event records one call of mptcp_events can fill */
  MPTCP_WASM_EVENT_BATCH = 256,
  /* bytes of the scratch area at mptcp_scratch() */
  MPTCP_WASM_SCRATCH_BYTES = 65536,
  /* bytes of the virtio-net header in front of a packet on a LINK_VNET_HEADER link */
  MPTCP_WASM_VNET_HEADER_BYTES = 12,
  /* bytes of one buffer page; no piece of application data is longer */
  MPTCP_WASM_PAGE_BYTES = 16384,
  /* smallest memory budget, bytes */
  MPTCP_WASM_BUDGET_MIN = 4194304,
  /* largest memory budget, bytes */
  MPTCP_WASM_BUDGET_MAX = 2000000000,
  /* links one stack can have at a time */
  MPTCP_WASM_LINKS_MAX = 32,
  /* addresses one link can have */
  MPTCP_WASM_ADDRESSES_MAX = 8,
  /* routes one stack can have */
  MPTCP_WASM_ROUTES_MAX = 32,
  /* path-manager endpoints one stack can have */
  MPTCP_WASM_ENDPOINTS_MAX = 32,
  /* subflows one connection can have */
  MPTCP_WASM_SUBFLOWS_MAX = 32,
};

/* Stable results below zero. ERR_DONE says that there is nothing to do now; all others are failures. */
enum mptcp_wasm_errors {
  /* nothing to do now: no data to read, no room to write, nothing to accept */
  MPTCP_WASM_ERR_DONE = -1,
  /* an argument is out of its range (EINVAL) */
  MPTCP_WASM_ERR_INVALID = -2,
  /* the handle is stale or of another kind (EBADF) */
  MPTCP_WASM_ERR_HANDLE = -3,
  /* the memory budget is used up (ENOBUFS) */
  MPTCP_WASM_ERR_NO_MEMORY = -4,
  /* another listener or connection has this address and port (EADDRINUSE) */
  MPTCP_WASM_ERR_ADDRESS_IN_USE = -5,
  /* no link has this local address (EADDRNOTAVAIL) */
  MPTCP_WASM_ERR_ADDRESS_NOT_AVAILABLE = -6,
  /* no link leads to the remote address (ENETUNREACH) */
  MPTCP_WASM_ERR_UNREACHABLE = -7,
  /* the peer answered the SYN with RST (ECONNREFUSED) */
  MPTCP_WASM_ERR_REFUSED = -8,
  /* the peer reset the connection (ECONNRESET) */
  MPTCP_WASM_ERR_RESET = -9,
  /* the peer stopped answering (ETIMEDOUT) */
  MPTCP_WASM_ERR_TIMED_OUT = -10,
  /* this side aborted the connection (ECONNABORTED) */
  MPTCP_WASM_ERR_ABORTED = -11,
  /* the sending side is already shut down (EPIPE) */
  MPTCP_WASM_ERR_PIPE = -12,
  /* the connection is not established yet, or no more (ENOTCONN) */
  MPTCP_WASM_ERR_NOT_CONNECTED = -13,
  /* the packet was malformed and has been dropped (EBADMSG) */
  MPTCP_WASM_ERR_MALFORMED = -14,
  /* the call does not fit here, such as any call before mptcp_create (EPROTO) */
  MPTCP_WASM_ERR_STATE = -15,
  /* time ran backwards (EINVAL) */
  MPTCP_WASM_ERR_TIME = -16,
  /* a fixed table is full (ENOSPC) */
  MPTCP_WASM_ERR_LIMIT = -17,
  /* the packet was well formed but nothing here takes it; it has been dropped and counted (ENOENT) */
  MPTCP_WASM_ERR_DROPPED = -18,
  /* the connection has no subflow or address of this id (ENXIO) */
  MPTCP_WASM_ERR_NOT_FOUND = -19,
  /* the connection is plain TCP, or its peer has not shown yet that it has the keys (EOPNOTSUPP) */
  MPTCP_WASM_ERR_NOT_MULTIPATH = -20,
  /* the peer forbids joins to this address (EACCES) */
  MPTCP_WASM_ERR_DENIED = -21,
};

/* What a link can do, given to mptcp_link_add. */
enum mptcp_wasm_link_flags {
  /* every packet in both directions begins with a virtio-net header */
  MPTCP_WASM_LINK_VNET_HEADER = 1,
  /* the link fills in transport checksums (needs LINK_VNET_HEADER) */
  MPTCP_WASM_LINK_CHECKSUM = 2,
  /* the link cuts large TCP segments (TSO; needs LINK_CHECKSUM) */
  MPTCP_WASM_LINK_SEGMENTATION = 4,
};

/* Flags of mptcp_connect and mptcp_listen. */
enum mptcp_wasm_connect_flags {
  /* do not offer or accept Multipath TCP */
  MPTCP_WASM_CONNECT_PLAIN_TCP = 1,
  /* use TCP Fast Open where CONFIG_FASTOPEN allows it (RFC 7413, and appendix B of RFC 8684 for Multipath TCP). Bytes written before the SYN leaves go with it when the server is known; a listener takes bytes of SYNs. An application must bear that the bytes of a SYN arrive once more in another connection, when the network repeats the SYN (section 6.1) */
  MPTCP_WASM_CONNECT_FAST_OPEN = 2,
  /* use version 0 of Multipath TCP (RFC 6824). With one of these two flags or both, they decide instead of CONFIG_CONNECT_VERSIONS or CONFIG_LISTEN_VERSIONS */
  MPTCP_WASM_CONNECT_VERSION_0 = 4,
  /* use version 1 of Multipath TCP (RFC 8684) */
  MPTCP_WASM_CONNECT_VERSION_1 = 8,
};

/* Flags of mptcp_endpoint_add and mptcp_endpoint_change, as those of `ip mptcp endpoint`. */
enum mptcp_wasm_endpoint_flags {
  /* announce the address to the peer (ADD_ADDR) */
  MPTCP_WASM_ENDPOINT_SIGNAL = 1,
  /* open a subflow from the address */
  MPTCP_WASM_ENDPOINT_SUBFLOW = 2,
  /* subflows from the address are backups (MP_JOIN with B) */
  MPTCP_WASM_ENDPOINT_BACKUP = 4,
  /* open a subflow from the address to every address of the peer */
  MPTCP_WASM_ENDPOINT_FULLMESH = 8,
};

/* Event.type: what happened to a connection or listener. */
enum mptcp_wasm_events {
  /* a connection asked for by mptcp_connect is established */
  MPTCP_WASM_EVENT_CONNECTED = 1,
  /* a listener has connections to accept; handle is the listener */
  MPTCP_WASM_EVENT_ACCEPTABLE = 2,
  /* bytes can be read, or the peer's end of stream is reached (detail 1) */
  MPTCP_WASM_EVENT_READABLE = 3,
  /* there is room to write again after a reserve or send that found too little */
  MPTCP_WASM_EVENT_WRITABLE = 4,
  /* the connection is over; detail is 0 after an orderly close, else an error code. Always the last event of a connection */
  MPTCP_WASM_EVENT_CLOSED = 5,
  /* a subflow is established; subflow is its id */
  MPTCP_WASM_EVENT_SUBFLOW_ESTABLISHED = 6,
  /* a subflow is gone; subflow is its id, detail is 0 or an error code; reason is that of the reset that ended it, a RESET_ reason with RESET_FLAG_ bits, or 0 when none was told */
  MPTCP_WASM_EVENT_SUBFLOW_CLOSED = 7,
  /* the connection goes on as plain TCP; detail is a FALLBACK_ reason. It comes before EVENT_READABLE of bytes that are no longer checked */
  MPTCP_WASM_EVENT_FALLBACK = 8,
  /* the peer announced an address (ADD_ADDR); detail is its address id */
  MPTCP_WASM_EVENT_ADDRESS_ANNOUNCED = 9,
  /* the peer withdrew an address (REMOVE_ADDR); detail is its address id */
  MPTCP_WASM_EVENT_ADDRESS_REMOVED = 10,
  /* all that was written has been acknowledged */
  MPTCP_WASM_EVENT_DRAINED = 11,
  /* the priority of a subflow changed (MP_PRIO, either way); subflow is its id, detail has SUBFLOW_BACKUP_ bits */
  MPTCP_WASM_EVENT_SUBFLOW_PRIORITY = 12,
  /* a connection of Multipath TCP has its keys; mptcp_monitor alone tells it */
  MPTCP_WASM_EVENT_CREATED = 13,
  /* a connection of Multipath TCP can have further subflows; mptcp_monitor alone tells it */
  MPTCP_WASM_EVENT_ESTABLISHED = 14,
  /* the stack listens on an address and port; mptcp_monitor alone tells it */
  MPTCP_WASM_EVENT_LISTENER_CREATED = 15,
  /* it does no more; mptcp_monitor alone tells it */
  MPTCP_WASM_EVENT_LISTENER_CLOSED = 16,
};

/* Why a connection is not multipath. */
enum mptcp_wasm_fallback_reasons {
  /* it is multipath */
  MPTCP_WASM_FALLBACK_NONE = 0,
  /* this side did not offer Multipath TCP */
  MPTCP_WASM_FALLBACK_NOT_ASKED = 1,
  /* the peer's SYN had no MP_CAPABLE */
  MPTCP_WASM_FALLBACK_PEER_SYN = 2,
  /* the peer's SYN/ACK had no MP_CAPABLE */
  MPTCP_WASM_FALLBACK_PEER_SYN_ACK = 3,
  /* the third ACK of the handshake had no MP_CAPABLE */
  MPTCP_WASM_FALLBACK_THIRD_ACK = 4,
  /* the first data came without a mapping */
  MPTCP_WASM_FALLBACK_FIRST_DATA = 5,
  /* SYNs with MP_CAPABLE went unanswered, one without was answered */
  MPTCP_WASM_FALLBACK_SYN_RETRIES = 7,
  /* the peer found a wrong checksum and sent MP_FAIL */
  MPTCP_WASM_FALLBACK_PEER_MP_FAIL = 8,
  /* a checksum was wrong on the only subflow, and the peer answered our MP_FAIL */
  MPTCP_WASM_FALLBACK_CHECKSUM = 9,
  /* the peer sent an infinite mapping */
  MPTCP_WASM_FALLBACK_INFINITE_MAPPING = 10,
  /* data came without mappings after some had come with them */
  MPTCP_WASM_FALLBACK_STRIPPED_DATA = 11,
  /* ACKs of data came without DATA_ACKs after some had come with them */
  MPTCP_WASM_FALLBACK_STRIPPED_ACKS = 12,
  /* both sides sent a SYN at the same time */
  MPTCP_WASM_FALLBACK_SIMULTANEOUS_OPEN = 13,
  /* SYNs with MP_CAPABLE were not answered on this path a while ago */
  MPTCP_WASM_FALLBACK_BLACKHOLE = 14,
  /* the token of the key is taken by another connection */
  MPTCP_WASM_FALLBACK_TOKEN = 15,
  /* the first ACK of our data had no DATA_ACK */
  MPTCP_WASM_FALLBACK_FIRST_ACK = 16,
  /* what was sent with options of Multipath TCP after the SYN went unanswered */
  MPTCP_WASM_FALLBACK_UNANSWERED = 17,
  /* the peer's SYN asks for a version this listener does not take */
  MPTCP_WASM_FALLBACK_SYN_VERSION = 18,
  /* the peer's SYN/ACK has a version this side did not offer */
  MPTCP_WASM_FALLBACK_SYN_ACK_VERSION = 19,
  /* the peer's key is the one it was told */
  MPTCP_WASM_FALLBACK_KEY = 20,
};

/* Why a subflow was reset: the reason codes of MP_TCPRST (RFC 8684 section 3.6). */
enum mptcp_wasm_reset_reasons {
  /* no reason is given */
  MPTCP_WASM_RESET_UNSPECIFIED = 0,
  /* options of Multipath TCP that are wrong or do not fit */
  MPTCP_WASM_RESET_MPTCP = 1,
  /* resources, or a limit, do not allow this subflow */
  MPTCP_WASM_RESET_RESOURCES = 2,
  /* a policy of the sender forbids it, or its address was withdrawn */
  MPTCP_WASM_RESET_PROHIBITED = 3,
  /* too much data waits on this subflow that others have delivered */
  MPTCP_WASM_RESET_OUTSTANDING = 4,
  /* it is too slow in comparison with the others */
  MPTCP_WASM_RESET_PERFORMANCE = 5,
  /* a middlebox changes data or removes options */
  MPTCP_WASM_RESET_MIDDLEBOX = 6,
};

/* Bits beside a RESET_ reason in Event.reason. */
enum mptcp_wasm_reset_flags {
  /* the peer reset it and gave this reason */
  MPTCP_WASM_RESET_FLAG_PEER = 256,
  /* this side reset it for this reason */
  MPTCP_WASM_RESET_FLAG_OWN = 512,
  /* it may be tried again later (flag T) */
  MPTCP_WASM_RESET_FLAG_TRANSIENT = 1024,
};

/* ConnectionInfo.state. */
enum mptcp_wasm_connection_states {
  /* the first subflow is in its handshake */
  MPTCP_WASM_CONNECTION_CONNECTING = 1,
  /* data can flow */
  MPTCP_WASM_CONNECTION_ESTABLISHED = 2,
  /* an end of stream was sent or received */
  MPTCP_WASM_CONNECTION_CLOSING = 3,
  /* over; only the handle is left */
  MPTCP_WASM_CONNECTION_CLOSED = 4,
};

/* ConnectionInfo.owner: who has a connection. */
enum mptcp_wasm_owners {
  /* nobody yet: it waits to be accepted, or is in its handshake */
  MPTCP_WASM_OWNER_NONE = 0,
  /* the application */
  MPTCP_WASM_OWNER_APPLICATION = 1,
  /* nobody any more: the application closed it, and it ends by itself */
  MPTCP_WASM_OWNER_GIVEN_UP = 2,
};

/* What mptcp_next walks. */
enum mptcp_wasm_kinds {
  /* connections */
  MPTCP_WASM_KIND_CONNECTION = 0,
  /* listeners */
  MPTCP_WASM_KIND_LISTENER = 1,
  /* subflows in TIME-WAIT whose connection is forgotten */
  MPTCP_WASM_KIND_TIME_WAIT = 2,
};

/* SubflowInfo.state: the states of RFC 9293 section 3.3.2, numbered as Linux numbers them. */
enum mptcp_wasm_subflow_states {
  /* data can flow */
  MPTCP_WASM_TCP_ESTABLISHED = 1,
  /* SYN sent, waiting for SYN/ACK */
  MPTCP_WASM_TCP_SYN_SENT = 2,
  /* SYN received, SYN/ACK sent */
  MPTCP_WASM_TCP_SYN_RECEIVED = 3,
  /* FIN sent */
  MPTCP_WASM_TCP_FIN_WAIT_1 = 4,
  /* FIN sent and acknowledged */
  MPTCP_WASM_TCP_FIN_WAIT_2 = 5,
  /* waiting for old segments to drain */
  MPTCP_WASM_TCP_TIME_WAIT = 6,
  /* no connection */
  MPTCP_WASM_TCP_CLOSED = 7,
  /* the peer sent FIN */
  MPTCP_WASM_TCP_CLOSE_WAIT = 8,
  /* FIN sent after the peer's FIN */
  MPTCP_WASM_TCP_LAST_ACK = 9,
  /* both sent FIN at the same time */
  MPTCP_WASM_TCP_CLOSING = 11,
};

/* SubflowInfo.options: what both sides agreed on, numbered as Linux numbers them in tcpi_options. */
enum mptcp_wasm_TCP_options {
  /* timestamps (RFC 7323) */
  MPTCP_WASM_TCP_OPTION_TIMESTAMPS = 1,
  /* selective acknowledgments (RFC 2018) */
  MPTCP_WASM_TCP_OPTION_SACK = 2,
  /* window scaling (RFC 7323) */
  MPTCP_WASM_TCP_OPTION_WINDOW_SCALE = 4,
  /* explicit congestion notification (RFC 3168) */
  MPTCP_WASM_TCP_OPTION_ECN = 8,
  /* bytes of the SYN were taken (RFC 7413) */
  MPTCP_WASM_TCP_OPTION_SYN_DATA = 32,
};

/* SubflowInfo.recovery: what the sender is doing about losses. */
enum mptcp_wasm_recovery_states {
  /* nothing is known to be lost */
  MPTCP_WASM_RECOVERY_OPEN = 0,
  /* fast recovery (RFC 6675) */
  MPTCP_WASM_RECOVERY_FAST = 1,
  /* after a retransmission timeout */
  MPTCP_WASM_RECOVERY_LOSS = 2,
};

/* SubflowInfo.flags. */
enum mptcp_wasm_subflow_flags {
  /* the first subflow of its connection (MP_CAPABLE) */
  MPTCP_WASM_SUBFLOW_INITIAL = 1,
  /* opened or accepted by MP_JOIN */
  MPTCP_WASM_SUBFLOW_JOINED = 2,
  /* this side asked for backup */
  MPTCP_WASM_SUBFLOW_BACKUP_LOCAL = 4,
  /* the peer asked for backup */
  MPTCP_WASM_SUBFLOW_BACKUP_REMOTE = 8,
  /* losses without progress: its data is sent again on others, no new data is given to it */
  MPTCP_WASM_SUBFLOW_STALE = 16,
  /* this side sent the SYN */
  MPTCP_WASM_SUBFLOW_ACTIVE_OPEN = 32,
};

/* Congestion controllers, the value of CONFIG_CONGESTION. A coupled one couples the subflows of a connection that use it. */
enum mptcp_wasm_controllers {
  /* NewReno (RFC 5681, RFC 6582), uncoupled */
  MPTCP_WASM_CONGESTION_RENO = 0,
  /* Linked Increases (RFC 6356), coupled */
  MPTCP_WASM_CONGESTION_LIA = 1,
  /* CUBIC (RFC 9438), uncoupled */
  MPTCP_WASM_CONGESTION_CUBIC = 2,
  /* Opportunistic Linked Increases (draft-khalili-mptcp-congestion-control), coupled */
  MPTCP_WASM_CONGESTION_OLIA = 3,
  /* Balanced Linked Adaptation (draft-walid-mptcp-congestion-control), coupled */
  MPTCP_WASM_CONGESTION_BALIA = 4,
  /* weighted Vegas (draft-xu-mptcp-congestion-control), coupled, by delay */
  MPTCP_WASM_CONGESTION_WVEGAS = 5,
};

/* Packet schedulers, the value of CONFIG_SCHEDULER. */
enum mptcp_wasm_schedulers {
  /* the subflow with the smallest smoothed RTT that has room in its congestion window */
  MPTCP_WASM_SCHEDULER_MIN_RTT = 0,
  /* one subflow after the other, each a quantum at a time */
  MPTCP_WASM_SCHEDULER_ROUND_ROBIN = 1,
  /* every byte on every subflow, as far as it is not acknowledged before */
  MPTCP_WASM_SCHEDULER_REDUNDANT = 2,
  /* smallest RTT, but a slower subflow waits when it would block the window (BLEST, Ferlin et al. 2016) */
  MPTCP_WASM_SCHEDULER_BLEST = 3,
  /* smallest RTT, but a slower subflow waits when the faster one would be done first (ECF, Lim et al. 2017) */
  MPTCP_WASM_SCHEDULER_ECF = 4,
};

/* Who opens subflows and announces addresses, the value of CONFIG_PATH_MANAGER. Every one of them accepts what the peer joins, and every call of the path manager works with each. */
enum mptcp_wasm_path_managers {
  /* endpoints and limits, as the in-kernel one of Linux */
  MPTCP_WASM_PATH_MANAGER_KERNEL = 0,
  /* does nothing by itself (v0: default) */
  MPTCP_WASM_PATH_MANAGER_DEFAULT = 1,
  /* a subflow from every local address to every address of the peer, without endpoints (v0: fullmesh) */
  MPTCP_WASM_PATH_MANAGER_FULLMESH = 2,
  /* CONFIG_NDIFFPORTS subflows over the addresses of the first, with other ports (v0: ndiffports) */
  MPTCP_WASM_PATH_MANAGER_NDIFFPORTS = 3,
  /* does nothing by itself: the application acts upon events (net.mptcp.pm_type 1) */
  MPTCP_WASM_PATH_MANAGER_USERSPACE = 4,
};

/* How many subflows are in use, the value of CONFIG_PATH_MODE. */
enum mptcp_wasm_path_modes {
  /* all subflows are in use */
  MPTCP_WASM_PATH_MODE_FULL = 0,
  /* subflows beside the first are opened as backups (MP_JOIN with B) */
  MPTCP_WASM_PATH_MODE_BACKUP = 1,
  /* one subflow at a time; another is opened when it fails (break before make) */
  MPTCP_WASM_PATH_MODE_SINGLE = 2,
};

/* Flags of mptcp_subflow_open. */
enum mptcp_wasm_open_flags {
  /* the subflow is a backup (MP_JOIN with B) */
  MPTCP_WASM_OPEN_BACKUP = 1,
};

/* Keys of mptcp_subflow_set and mptcp_subflow_get. */
enum mptcp_wasm_subflow_options {
  /* 0 or 1: this side asks for the subflow to be used only when nothing else works; a change is told by MP_PRIO */
  MPTCP_WASM_SUBFLOW_OPTION_BACKUP = 1,
  /* TTL or hop limit of its packets, 1 to 255; 0, as it is at first, for CONFIG_HOP_LIMIT (IP_TTL) */
  MPTCP_WASM_SUBFLOW_OPTION_HOP_LIMIT = 2,
  /* upper six bits of the traffic class of its packets (DSCP << 2), 0 to 252 in steps of 4, 0 at first (IP_TOS) */
  MPTCP_WASM_SUBFLOW_OPTION_TRAFFIC_CLASS = 3,
  /* bytes its congestion window may have at most, 536 or more; 0, as it is at first, for no limit (RTAX_CWND) */
  MPTCP_WASM_SUBFLOW_OPTION_CWND_CLAMP = 4,
  /* 0 or 1, at first 1: open it again after it failed */
  MPTCP_WASM_SUBFLOW_OPTION_REOPEN = 5,
  /* a CONGESTION_ value: a controller of its own, whatever the connection has; 255 follows the connection again, as it does at first. Reading it tells the one in use */
  MPTCP_WASM_SUBFLOW_OPTION_CONGESTION = 6,
  /* 1 to 256, at first 1: how many quanta it gets in its turn (SCHEDULER_ROUND_ROBIN) */
  MPTCP_WASM_SUBFLOW_OPTION_WEIGHT = 7,
};

/* Keys of mptcp_set and mptcp_get. With handle 0 they set the stack's default for connections made later; keys marked (connection) can also be set on one connection while it runs. */
enum mptcp_wasm_configuration_keys {
  /* 0 or 1, default 1: offer and accept Multipath TCP (net.mptcp.enabled) */
  MPTCP_WASM_CONFIG_MPTCP_ENABLED = 1,
  /* 0 or 1, default 0: ask for the DSS checksum (net.mptcp.checksum_enabled) */
  MPTCP_WASM_CONFIG_CHECKSUM_ENABLED = 2,
  /* µs, default 120 s: longest time between ADD_ADDR retransmissions (net.mptcp.add_addr_timeout) */
  MPTCP_WASM_CONFIG_ADD_ADDR_TIMEOUT = 3,
  /* 0 or 1, default 1: allow MP_JOIN to the initial address and port; 0 sets flag C (net.mptcp.allow_join_initial_addr_port) */
  MPTCP_WASM_CONFIG_ALLOW_JOIN_INITIAL_ADDR_PORT = 4,
  /* µs, default 60 s: how long a closed connection waits for its peer (net.mptcp.close_timeout) */
  MPTCP_WASM_CONFIG_CLOSE_TIMEOUT = 5,
  /* retransmission timeouts in a row after which a subflow counts as stale, default 4 (net.mptcp.stale_loss_cnt); its data is sent again on others from the first one on */
  MPTCP_WASM_CONFIG_STALE_LOSS_CNT = 6,
  /* subflows a connection may have beside its initial one, default 2, at most 31 */
  MPTCP_WASM_CONFIG_LIMIT_SUBFLOWS = 7,
  /* announced addresses a connection may join, default 0, at most 31 */
  MPTCP_WASM_CONFIG_LIMIT_ADD_ADDR_ACCEPTED = 8,
  /* a SCHEDULER_ value, default SCHEDULER_MIN_RTT (connection) */
  MPTCP_WASM_CONFIG_SCHEDULER = 9,
  /* a CONGESTION_ value, default CONGESTION_LIA (connection) */
  MPTCP_WASM_CONFIG_CONGESTION = 10,
  /* bytes a connection may hold for sending at first, default 128 KiB; it grows by itself with the congestion windows, up to CONFIG_SEND_BUFFER_MAX. Set on a connection it stays as it is, as SO_SNDBUF does (connection) */
  MPTCP_WASM_CONFIG_SEND_BUFFER = 11,
  /* bytes a connection may hold for receiving at first, which is its largest window, default 128 KiB; it grows by itself with what the application reads in a round trip, up to CONFIG_RECEIVE_BUFFER_MAX. Set on a connection it stays as it is, as SO_RCVBUF does (connection) */
  MPTCP_WASM_CONFIG_RECEIVE_BUFFER = 12,
  /* 0 or 1, default 0: send small segments at once (no Nagle) (connection) */
  MPTCP_WASM_CONFIG_NO_DELAY = 13,
  /* 0 or 1, default 0: probe idle connections (connection) */
  MPTCP_WASM_CONFIG_KEEPALIVE = 14,
  /* µs, default 7,200 s: idle time before the first probe (connection) */
  MPTCP_WASM_CONFIG_KEEPALIVE_IDLE = 15,
  /* µs, default 75 s: time between probes (connection) */
  MPTCP_WASM_CONFIG_KEEPALIVE_INTERVAL = 16,
  /* unanswered probes that end the subflow, default 9 (connection) */
  MPTCP_WASM_CONFIG_KEEPALIVE_COUNT = 17,
  /* µs, default 1 s (RFC 6298 section 2.1) */
  MPTCP_WASM_CONFIG_RTO_INITIAL = 18,
  /* µs, default 200 ms */
  MPTCP_WASM_CONFIG_RTO_MIN = 19,
  /* µs, default 120 s */
  MPTCP_WASM_CONFIG_RTO_MAX = 20,
  /* µs, default 40 ms, at most 500 ms (RFC 9293 section 3.8.6.3) */
  MPTCP_WASM_CONFIG_DELAYED_ACK = 21,
  /* µs, default 60 s */
  MPTCP_WASM_CONFIG_TIME_WAIT = 22,
  /* retransmissions of a SYN before the attempt fails, default 6 */
  MPTCP_WASM_CONFIG_SYN_RETRIES = 23,
  /* unanswered SYNs with MP_CAPABLE before they go without, and the same for the third ACK and the first data, default 2 (net.mptcp.syn_retrans_before_tcp_fallback) */
  MPTCP_WASM_CONFIG_SYN_RETRIES_BEFORE_FALLBACK = 24,
  /* retransmission timeouts in a row that end a subflow, default 15 */
  MPTCP_WASM_CONFIG_RETRIES = 25,
  /* 0 or 1, default 1 (RFC 7323) */
  MPTCP_WASM_CONFIG_TIMESTAMPS = 26,
  /* 0 or 1, default 1 (RFC 2018) */
  MPTCP_WASM_CONFIG_SACK = 27,
  /* shift offered in the SYN, 0 to 14, or 15 (default): what the largest receive buffer needs, 8 at least (RFC 7323 section 2.3) */
  MPTCP_WASM_CONFIG_WINDOW_SCALE = 28,
  /* initial congestion window in segments, default 10 (RFC 6928) */
  MPTCP_WASM_CONFIG_INITIAL_WINDOW = 29,
  /* longest data-sequence map, bytes, 536 to 65,535, default 65,535 */
  MPTCP_WASM_CONFIG_MAP_BYTES = 30,
  /* TTL or hop limit of packets sent, default 64 */
  MPTCP_WASM_CONFIG_HOP_LIMIT = 31,
  /* 0 or 1, default 1: write data sequence numbers of 8 bytes; 0 writes 4 bytes as long as these cannot wrap within two minutes, and acknowledges with 8 what came with 8 (RFC 8684 sections 3.3.1 and 3.3.2) */
  MPTCP_WASM_CONFIG_DSN64 = 32,
  /* 1 to 64, default 1: stacks that share the addresses of one host, each with its own instance; set it before the first connection */
  MPTCP_WASM_CONFIG_SHARDS = 33,
  /* 0 to 63, default 0: which of them this is. Tokens and chosen ports are those that leave this remainder when divided by CONFIG_SHARDS */
  MPTCP_WASM_CONFIG_SHARD = 34,
  /* 0 or 1, default 0: spread segments over the round trip instead of sending them in bursts (connection) */
  MPTCP_WASM_CONFIG_PACING = 35,
  /* 0 or 1, default 1: leave slow start when the round-trip time grows (RFC 9406) */
  MPTCP_WASM_CONFIG_HYSTART = 36,
  /* 0 or 1, default 1: probe when ACKs stay away, before a timeout (RFC 8985 section 7) */
  MPTCP_WASM_CONFIG_TAIL_LOSS_PROBE = 37,
  /* 0 or 1, default 1: find out spurious timeouts by the order of ACKs (RFC 5682; net.ipv4.tcp_frto) */
  MPTCP_WASM_CONFIG_FRTO = 38,
  /* 0 or 1, default 1: reduce the congestion window after an idle time (RFC 5681 section 4.1; net.ipv4.tcp_slow_start_after_idle) */
  MPTCP_WASM_CONFIG_IDLE_RESTART = 39,
  /* challenge ACKs the stack sends in one second, half of it for certain and the rest at random; default 1,000 (RFC 5961 section 7, net.ipv4.tcp_challenge_ack_limit) */
  MPTCP_WASM_CONFIG_CHALLENGE_ACK_LIMIT = 48,
  /* µs, default 500 ms: one connection answers segments without data that do not fit no more often (net.ipv4.tcp_invalid_ratelimit); 0 answers all */
  MPTCP_WASM_CONFIG_INVALID_RATE_LIMIT = 49,
  /* µs, default 0: how long data may go unacknowledged, a SYN unanswered or keep-alive probes without an answer, before the connection ends with ERR_TIMED_OUT (RFC 9293 section 3.9.1, TCP_USER_TIMEOUT); 0 leaves that to the counts of retries (connection) */
  MPTCP_WASM_CONFIG_USER_TIMEOUT = 50,
  /* µs, default -1: how long a closed connection may take to deliver what was written before it is reset (SO_LINGER); 0 resets at once, -1 waits as long as it gets on (connection) */
  MPTCP_WASM_CONFIG_LINGER = 51,
  /* 0, 1 or 2, default 1: answer SYNs without keeping them (RFC 4987 section 3.6): never, when the backlog is full, always (net.ipv4.tcp_syncookies) */
  MPTCP_WASM_CONFIG_SYN_COOKIES = 52,
  /* bytes up to which the send buffer of a connection grows by itself, default a quarter of the budget and at most 16 MiB (net.ipv4.tcp_wmem) */
  MPTCP_WASM_CONFIG_SEND_BUFFER_MAX = 56,
  /* bytes up to which the receive buffer of a connection grows by itself, default a quarter of the budget and at most 32 MiB (net.ipv4.tcp_rmem) */
  MPTCP_WASM_CONFIG_RECEIVE_BUFFER_MAX = 57,
  /* 0 or 1, default 1: find the path MTU without ICMP: smaller segments after repeated timeouts, and probes upward (RFC 4821; net.ipv4.tcp_mtu_probing) */
  MPTCP_WASM_CONFIG_MTU_PROBING = 58,
  /* µs, default 600 s: how long a learnt path MTU counts before a larger one is tried (RFC 1191 section 6.3, net.ipv4.route.mtu_expires) */
  MPTCP_WASM_CONFIG_MTU_EXPIRES = 59,
  /* 0 to 2, default 0: explicit congestion notification; 1 asks for it and accepts it, 2 accepts it when the peer asks (RFC 3168; net.ipv4.tcp_ecn) */
  MPTCP_WASM_CONFIG_ECN = 60,
  /* 0 to 3, default 0: TCP Fast Open (RFC 7413; net.ipv4.tcp_fastopen) of connections (1) and listeners (2) with CONNECT_FAST_OPEN, or of both. SYNs of version 0 of Multipath TCP open as ever */
  MPTCP_WASM_CONFIG_FASTOPEN = 61,
  /* connections whose SYN brought a right cookie and whose third ACK is still to come, 0 to 65,535, default 128: with so many, others open as ever (RFC 7413 section 5.1) */
  MPTCP_WASM_CONFIG_FASTOPEN_PENDING = 62,
  /* µs, default 3,600 s, at most a day: how long a path on which SYNs with MP_CAPABLE went unanswered and one without was answered is used without asking for Multipath TCP; twice as long each time in a row, up to 64 times; 0 never (net.mptcp.blackhole_timeout) */
  MPTCP_WASM_CONFIG_BLACKHOLE_TIMEOUT = 68,
  /* 0 or 1, default 0: an abort sends MP_FASTCLOSE with RST on every subflow, as Linux does; 1 sends it with an ACK on one subflow, again until the peer answers with RST, and RST on the others (RFC 8684 section 3.5) */
  MPTCP_WASM_CONFIG_FASTCLOSE_ACK = 69,
  /* 0 to 31, default 8: joins of one connection that may wait for their third ACK at a time; more are refused */
  MPTCP_WASM_CONFIG_JOINS_PENDING = 70,
  /* 0 to 65,535, default 256: the same for all connections of the stack together */
  MPTCP_WASM_CONFIG_JOINS_PENDING_TOTAL = 71,
  /* µs, default 120 s: how long MP_FAIL on the only subflow waits for its answer before the subflow is reset */
  MPTCP_WASM_CONFIG_FAIL_TIMEOUT = 72,
  /* the versions of Multipath TCP that connections use, the sum of 1 for version 0 (RFC 6824) and 2 for version 1 (RFC 8684); default 2. With both, version 1 is offered, and version 0 used where the peer has only that */
  MPTCP_WASM_CONFIG_CONNECT_VERSIONS = 64,
  /* the versions of Multipath TCP that listeners take, likewise; default 3. The peer offers one, which it gets, or a higher one, which is answered with version 1 */
  MPTCP_WASM_CONFIG_LISTEN_VERSIONS = 65,
  /* 0 or 1, default 1: when version 1 is answered without MP_CAPABLE, as peers do that have only version 0, ask again at once with version 0, from another port (RFC 8684 section 3.1). It is done for connections that use both versions and whose local port was not asked for. With 0 the connection goes on as plain TCP, and the next one to the same peer asks with version 0 */
  MPTCP_WASM_CONFIG_VERSION_RETRY = 66,
  /* µs, default 3,600 s: how long is remembered which version an address and port has */
  MPTCP_WASM_CONFIG_VERSION_EXPIRES = 67,
  /* 0 or 1, default 1: when the peer's window or a full send buffer stops a subflow that has room, it sends again what holds that up on a slower one (NSDI 2012) (connection) */
  MPTCP_WASM_CONFIG_OPPORTUNISTIC = 92,
  /* 0 or 1, default 1: the congestion window of such a slower subflow is halved, at most once in a round trip of the faster one (NSDI 2012) (connection) */
  MPTCP_WASM_CONFIG_PENALISATION = 93,
  /* segments, default 4: both only when the congestion window of the slower subflow is no larger than this, … (connection) */
  MPTCP_WASM_CONFIG_OPPORTUNISTIC_CWND = 94,
  /* default 4: … or its RTT is longer than so many times that of the faster one (connection) */
  MPTCP_WASM_CONFIG_OPPORTUNISTIC_RATIO = 95,
  /* segments, default 1: how much a subflow gets in its turn, times its weight (connection) */
  MPTCP_WASM_CONFIG_ROUND_ROBIN_QUANTUM = 96,
  /* 0 or 1, default 1: a subflow whose congestion window is full is passed over; 0 waits for it, so that shares stay even (connection) */
  MPTCP_WASM_CONFIG_ROUND_ROBIN_CWND_LIMITED = 97,
  /* thousandths, default 1,200: what the bytes a faster subflow may send are multiplied with at first (connection) */
  MPTCP_WASM_CONFIG_BLEST_LAMBDA = 98,
  /* thousandths, default 1,000: the least it becomes (connection) */
  MPTCP_WASM_CONFIG_BLEST_LAMBDA_MIN = 99,
  /* thousandths, default 1,300: the most it becomes (connection) */
  MPTCP_WASM_CONFIG_BLEST_LAMBDA_MAX = 100,
  /* thousandths, default 10: by how much it shrinks in a round trip in which nothing was blocked (connection) */
  MPTCP_WASM_CONFIG_BLEST_LAMBDA_LESS = 101,
  /* thousandths, default 40: by how much it grows in one in which something was (connection) */
  MPTCP_WASM_CONFIG_BLEST_LAMBDA_MORE = 102,
  /* thousandths, default 250: how much longer ECF goes on to wait once it waits (connection) */
  MPTCP_WASM_CONFIG_ECF_BETA = 103,
  /* segments, default 10: what all subflows with wVegas together keep in the queues of their paths (connection) */
  MPTCP_WASM_CONFIG_WVEGAS_ALPHA_TOTAL = 104,
  /* segments, default 2: what a subflow keeps there at first, and at least (connection) */
  MPTCP_WASM_CONFIG_WVEGAS_ALPHA_INITIAL = 105,
  /* segments, default 1: with more than this in the queue slow start ends (connection) */
  MPTCP_WASM_CONFIG_WVEGAS_GAMMA = 106,
  /* a PATH_MANAGER_ value, default PATH_MANAGER_KERNEL (connection) */
  MPTCP_WASM_CONFIG_PATH_MANAGER = 76,
  /* a PATH_MODE_ value, default PATH_MODE_FULL (connection) */
  MPTCP_WASM_CONFIG_PATH_MODE = 77,
  /* subflows of a connection with PATH_MANAGER_NDIFFPORTS, the first included, 1 to 32, default 2 (v0: num_subflows of ndiffports) (connection) */
  MPTCP_WASM_CONFIG_NDIFFPORTS = 78,
  /* µs, default 1 s: how long after its end a subflow of ours is opened again; doubled with every attempt that fails, 0 opens none again */
  MPTCP_WASM_CONFIG_REOPEN_DELAY = 79,
  /* µs, default 60 s: longest such delay */
  MPTCP_WASM_CONFIG_REOPEN_DELAY_MAX = 80,
  /* attempts in a row that the peer's RST may answer on a path that worked before it is given up, until its address or link comes back, and subflows alone in a connection over which only changed data came before MP_FASTCLOSE ends it; 1 to 255, default 5 */
  MPTCP_WASM_CONFIG_REOPEN_REFUSALS = 81,
  /* µs, default 60 s: how long a connection of Multipath TCP lives on without a subflow, for a new one to join it (break before make; net.mptcp.close_timeout); 0 ends it with the last one (connection) */
  MPTCP_WASM_CONFIG_REJOIN_TIMEOUT = 82,
  /* 0 or 1, default 0: keep what mptcp_monitor tells */
  MPTCP_WASM_CONFIG_MONITOR = 83,
};

/* Index into the array of 64-bit counters at mptcp_counters(). The names beginning with MPTCP_ count what the kernel's MPTcpExt counters of the same name count. */
enum mptcp_wasm_counters {
  /* packets given to mptcp_ingest */
  MPTCP_WASM_COUNTER_PACKETS_IN = 0,
  /* packets taken by mptcp_transmit */
  MPTCP_WASM_COUNTER_PACKETS_OUT = 1,
  /* bytes of packets in */
  MPTCP_WASM_COUNTER_BYTES_IN = 2,
  /* bytes of packets out */
  MPTCP_WASM_COUNTER_BYTES_OUT = 3,
  /* dropped: version, length or header of IP malformed */
  MPTCP_WASM_COUNTER_DROP_IP_HEADER = 4,
  /* dropped: IPv4 header checksum wrong */
  MPTCP_WASM_COUNTER_DROP_IP_CHECKSUM = 5,
  /* dropped: fragment (fragments are not reassembled) */
  MPTCP_WASM_COUNTER_DROP_IP_FRAGMENT = 6,
  /* dropped: not for an address of this host, or from an impossible source */
  MPTCP_WASM_COUNTER_DROP_IP_ADDRESS = 7,
  /* dropped: neither TCP nor ICMP */
  MPTCP_WASM_COUNTER_DROP_IP_PROTOCOL = 8,
  /* dropped: TCP header malformed */
  MPTCP_WASM_COUNTER_DROP_TCP_HEADER = 9,
  /* dropped: TCP checksum wrong */
  MPTCP_WASM_COUNTER_DROP_TCP_CHECKSUM = 10,
  /* options malformed: the rest of the option area was ignored */
  MPTCP_WASM_COUNTER_DROP_TCP_OPTIONS = 11,
  /* dropped: ICMP malformed or checksum wrong */
  MPTCP_WASM_COUNTER_DROP_ICMP = 12,
  /* dropped: no memory for it in the budget */
  MPTCP_WASM_COUNTER_DROP_NO_MEMORY = 13,
  /* TCP segments for no connection or listener (answered with RST) */
  MPTCP_WASM_COUNTER_DROP_NO_FLOW = 14,
  /* segments outside the receive window (answered with ACK) */
  MPTCP_WASM_COUNTER_DROP_SEQUENCE = 15,
  /* segments with an old timestamp (RFC 7323 section 5) */
  MPTCP_WASM_COUNTER_DROP_PAWS = 16,
  /* SYNs dropped because a backlog was full */
  MPTCP_WASM_COUNTER_DROP_BACKLOG = 17,
  /* replies without a connection dropped because their queue was full */
  MPTCP_WASM_COUNTER_DROP_REPLY = 18,
  /* RST segments sent */
  MPTCP_WASM_COUNTER_RST_OUT = 19,
  /* valid RST segments received */
  MPTCP_WASM_COUNTER_RST_IN = 20,
  /* challenge ACKs sent (RFC 5961) */
  MPTCP_WASM_COUNTER_CHALLENGE_ACK = 21,
  /* segments retransmitted */
  MPTCP_WASM_COUNTER_RETRANSMITS = 22,
  /* retransmission timeouts */
  MPTCP_WASM_COUNTER_TIMEOUTS = 23,
  /* entries into fast recovery */
  MPTCP_WASM_COUNTER_FAST_RETRANSMITS = 24,
  /* echo requests answered */
  MPTCP_WASM_COUNTER_ICMP_ECHO = 25,
  /* connections asked for */
  MPTCP_WASM_COUNTER_ACTIVE_OPENS = 26,
  /* connections accepted */
  MPTCP_WASM_COUNTER_PASSIVE_OPENS = 27,
  /* packets that belonged to another shard */
  MPTCP_WASM_COUNTER_SHARD_AWAY = 28,
  /* ICMP errors about a segment in flight */
  MPTCP_WASM_COUNTER_ICMP_ERROR = 29,
  /* ICMP errors about nothing that is in flight (ignored) */
  MPTCP_WASM_COUNTER_ICMP_STRAY = 30,
  /* ACKs in answer to segments that do not fit, not sent because of a limit */
  MPTCP_WASM_COUNTER_ACK_SKIPPED = 31,
  /* tail loss probes sent (RFC 8985 section 7) */
  MPTCP_WASM_COUNTER_TAIL_PROBES = 88,
  /* times that a subflow found its path to take less than it thought (RFC 1191, RFC 4821) */
  MPTCP_WASM_COUNTER_MTU_REDUCED = 90,
  /* segments received that a queue had marked (RFC 3168) */
  MPTCP_WASM_COUNTER_ECN_MARKED = 92,
  /* times that the peer's echo of such a mark reduced a congestion window */
  MPTCP_WASM_COUNTER_ECN_REDUCED = 93,
  /* probes for a larger path MTU sent (RFC 4821) */
  MPTCP_WASM_COUNTER_MTU_PROBES = 91,
  /* losses that were none, by timestamp, DSACK or F-RTO: what they did was taken back */
  MPTCP_WASM_COUNTER_SPURIOUS = 89,
  /* connections asked for whose SYN brought bytes that the peer took (RFC 7413) */
  MPTCP_WASM_COUNTER_FASTOPEN_ACTIVE = 85,
  /* SYNs with bytes that got no answer, or one that takes none of them */
  MPTCP_WASM_COUNTER_FASTOPEN_ACTIVE_FAIL = 86,
  /* SYNs with a right Fast Open cookie: their connections open at once */
  MPTCP_WASM_COUNTER_FASTOPEN_PASSIVE = 87,
  /* SYNs with a wrong Fast Open cookie */
  MPTCP_WASM_COUNTER_FASTOPEN_PASSIVE_FAIL = 94,
  /* SYNs with a Fast Open cookie that opened as ever because of CONFIG_FASTOPEN_PENDING */
  MPTCP_WASM_COUNTER_FASTOPEN_OVERFLOW = 95,
  /* connections that asked again with version 0, as the peer did not answer version 1 */
  MPTCP_WASM_COUNTER_VERSION_RETRY = 128,
  /* connections asked for that have version 0 (RFC 6824) */
  MPTCP_WASM_COUNTER_VERSION_0_ACTIVE = 129,
  /* connections accepted that have version 0 (RFC 6824) */
  MPTCP_WASM_COUNTER_VERSION_0_PASSIVE = 130,
  /* as the kernel's MPTcpExtMPCapableSYNRX */
  MPTCP_WASM_COUNTER_MPTCP_MPCapableSYNRX = 32,
  /* as the kernel's MPTcpExtMPCapableSYNTX */
  MPTCP_WASM_COUNTER_MPTCP_MPCapableSYNTX = 33,
  /* as the kernel's MPTcpExtMPCapableSYNACKRX */
  MPTCP_WASM_COUNTER_MPTCP_MPCapableSYNACKRX = 34,
  /* as the kernel's MPTcpExtMPCapableACKRX */
  MPTCP_WASM_COUNTER_MPTCP_MPCapableACKRX = 35,
  /* as the kernel's MPTcpExtMPCapableFallbackACK */
  MPTCP_WASM_COUNTER_MPTCP_MPCapableFallbackACK = 36,
  /* as the kernel's MPTcpExtMPCapableFallbackSYNACK */
  MPTCP_WASM_COUNTER_MPTCP_MPCapableFallbackSYNACK = 37,
  /* as the kernel's MPTcpExtMPCapableSYNTXDrop */
  MPTCP_WASM_COUNTER_MPTCP_MPCapableSYNTXDrop = 38,
  /* as the kernel's MPTcpExtMPTCPRetrans */
  MPTCP_WASM_COUNTER_MPTCP_MPTCPRetrans = 39,
  /* as the kernel's MPTcpExtMPJoinNoTokenFound */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinNoTokenFound = 40,
  /* as the kernel's MPTcpExtMPJoinSynRx */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinSynRx = 41,
  /* as the kernel's MPTcpExtMPJoinSynBackupRx */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinSynBackupRx = 42,
  /* as the kernel's MPTcpExtMPJoinSynAckRx */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinSynAckRx = 43,
  /* as the kernel's MPTcpExtMPJoinSynAckBackupRx */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinSynAckBackupRx = 44,
  /* as the kernel's MPTcpExtMPJoinSynAckHMacFailure */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinSynAckHMacFailure = 45,
  /* as the kernel's MPTcpExtMPJoinAckRx */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinAckRx = 46,
  /* as the kernel's MPTcpExtMPJoinAckHMacFailure */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinAckHMacFailure = 47,
  /* as the kernel's MPTcpExtMPJoinRejected */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinRejected = 48,
  /* as the kernel's MPTcpExtMPJoinSynTx */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinSynTx = 49,
  /* as the kernel's MPTcpExtDSSNotMatching */
  MPTCP_WASM_COUNTER_MPTCP_DSSNotMatching = 50,
  /* as the kernel's MPTcpExtDSSCorruptionReset */
  MPTCP_WASM_COUNTER_MPTCP_DSSCorruptionReset = 52,
  /* as the kernel's MPTcpExtInfiniteMapRx */
  MPTCP_WASM_COUNTER_MPTCP_InfiniteMapRx = 53,
  /* as the kernel's MPTcpExtDataCsumErr */
  MPTCP_WASM_COUNTER_MPTCP_DataCsumErr = 54,
  /* as the kernel's MPTcpExtOFOQueue */
  MPTCP_WASM_COUNTER_MPTCP_OFOQueue = 56,
  /* as the kernel's MPTcpExtNoDSSInWindow */
  MPTCP_WASM_COUNTER_MPTCP_NoDSSInWindow = 58,
  /* as the kernel's MPTcpExtDuplicateData */
  MPTCP_WASM_COUNTER_MPTCP_DuplicateData = 59,
  /* as the kernel's MPTcpExtAddAddr */
  MPTCP_WASM_COUNTER_MPTCP_AddAddr = 60,
  /* as the kernel's MPTcpExtAddAddrTx */
  MPTCP_WASM_COUNTER_MPTCP_AddAddrTx = 61,
  /* as the kernel's MPTcpExtEchoAdd */
  MPTCP_WASM_COUNTER_MPTCP_EchoAdd = 62,
  /* as the kernel's MPTcpExtEchoAddTx */
  MPTCP_WASM_COUNTER_MPTCP_EchoAddTx = 63,
  /* as the kernel's MPTcpExtPortAdd */
  MPTCP_WASM_COUNTER_MPTCP_PortAdd = 64,
  /* as the kernel's MPTcpExtAddAddrDrop */
  MPTCP_WASM_COUNTER_MPTCP_AddAddrDrop = 65,
  /* as the kernel's MPTcpExtRmAddr */
  MPTCP_WASM_COUNTER_MPTCP_RmAddr = 66,
  /* as the kernel's MPTcpExtRmAddrTx */
  MPTCP_WASM_COUNTER_MPTCP_RmAddrTx = 68,
  /* as the kernel's MPTcpExtRmSubflow */
  MPTCP_WASM_COUNTER_MPTCP_RmSubflow = 69,
  /* as the kernel's MPTcpExtMPPrioRx */
  MPTCP_WASM_COUNTER_MPTCP_MPPrioRx = 70,
  /* as the kernel's MPTcpExtMPFailTx */
  MPTCP_WASM_COUNTER_MPTCP_MPFailTx = 71,
  /* as the kernel's MPTcpExtMPFailRx */
  MPTCP_WASM_COUNTER_MPTCP_MPFailRx = 72,
  /* as the kernel's MPTcpExtMPFastcloseTx */
  MPTCP_WASM_COUNTER_MPTCP_MPFastcloseTx = 73,
  /* as the kernel's MPTcpExtMPFastcloseRx */
  MPTCP_WASM_COUNTER_MPTCP_MPFastcloseRx = 74,
  /* as the kernel's MPTcpExtMPRstTx */
  MPTCP_WASM_COUNTER_MPTCP_MPRstTx = 75,
  /* as the kernel's MPTcpExtMPRstRx */
  MPTCP_WASM_COUNTER_MPTCP_MPRstRx = 76,
  /* as the kernel's MPTcpExtSubflowStale */
  MPTCP_WASM_COUNTER_MPTCP_SubflowStale = 77,
  /* as the kernel's MPTcpExtSubflowRecover */
  MPTCP_WASM_COUNTER_MPTCP_SubflowRecover = 78,
  /* as the kernel's MPTcpExtMPCurrEstab */
  MPTCP_WASM_COUNTER_MPTCP_MPCurrEstab = 79,
  /* as the kernel's MPTcpExtMPCapableDataFallback */
  MPTCP_WASM_COUNTER_MPTCP_MPCapableDataFallback = 80,
  /* as the kernel's MPTcpExtDssFallback */
  MPTCP_WASM_COUNTER_MPTCP_DssFallback = 81,
  /* as the kernel's MPTcpExtDSSCorruptionFallback */
  MPTCP_WASM_COUNTER_MPTCP_DSSCorruptionFallback = 51,
  /* as the kernel's MPTcpExtInfiniteMapTx */
  MPTCP_WASM_COUNTER_MPTCP_InfiniteMapTx = 55,
  /* as the kernel's MPTcpExtOFOQueueTail */
  MPTCP_WASM_COUNTER_MPTCP_OFOQueueTail = 57,
  /* as the kernel's MPTcpExtRmAddrDrop; always 0: no REMOVE_ADDR waits here for a worker that could refuse it */
  MPTCP_WASM_COUNTER_MPTCP_RmAddrDrop = 67,
  /* as the kernel's MPTcpExtOFOMerge */
  MPTCP_WASM_COUNTER_MPTCP_OFOMerge = 96,
  /* as the kernel's MPTcpExtDSSNoMatchTCP */
  MPTCP_WASM_COUNTER_MPTCP_DSSNoMatchTCP = 97,
  /* as the kernel's MPTcpExtMPCapableSYNTXDisabled */
  MPTCP_WASM_COUNTER_MPTCP_MPCapableSYNTXDisabled = 98,
  /* as the kernel's MPTcpExtMPCapableEndpAttempt */
  MPTCP_WASM_COUNTER_MPTCP_MPCapableEndpAttempt = 99,
  /* as the kernel's MPTcpExtMPFallbackTokenInit */
  MPTCP_WASM_COUNTER_MPTCP_MPFallbackTokenInit = 100,
  /* as the kernel's MPTcpExtMPJoinSynTxCreatSkErr */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinSynTxCreatSkErr = 101,
  /* as the kernel's MPTcpExtMPJoinSynTxBindErr */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinSynTxBindErr = 102,
  /* as the kernel's MPTcpExtMPJoinSynTxConnectErr */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinSynTxConnectErr = 103,
  /* as the kernel's MPTcpExtAddAddrTxDrop */
  MPTCP_WASM_COUNTER_MPTCP_AddAddrTxDrop = 104,
  /* as the kernel's MPTcpExtEchoAddTxDrop */
  MPTCP_WASM_COUNTER_MPTCP_EchoAddTxDrop = 105,
  /* as the kernel's MPTcpExtMPJoinPortSynRx */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinPortSynRx = 106,
  /* as the kernel's MPTcpExtMPJoinPortSynAckRx */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinPortSynAckRx = 107,
  /* as the kernel's MPTcpExtMPJoinPortAckRx */
  MPTCP_WASM_COUNTER_MPTCP_MPJoinPortAckRx = 108,
  /* as the kernel's MPTcpExtMismatchPortSynRx */
  MPTCP_WASM_COUNTER_MPTCP_MismatchPortSynRx = 109,
  /* as the kernel's MPTcpExtMismatchPortAckRx */
  MPTCP_WASM_COUNTER_MPTCP_MismatchPortAckRx = 110,
  /* as the kernel's MPTcpExtRmAddrTxDrop */
  MPTCP_WASM_COUNTER_MPTCP_RmAddrTxDrop = 111,
  /* as the kernel's MPTcpExtMPPrioTx */
  MPTCP_WASM_COUNTER_MPTCP_MPPrioTx = 112,
  /* as the kernel's MPTcpExtSndWndShared */
  MPTCP_WASM_COUNTER_MPTCP_SndWndShared = 113,
  /* as the kernel's MPTcpExtRcvWndShared */
  MPTCP_WASM_COUNTER_MPTCP_RcvWndShared = 114,
  /* as the kernel's MPTcpExtRcvWndConflictUpdate; always 0: nothing moves the window while a segment is written */
  MPTCP_WASM_COUNTER_MPTCP_RcvWndConflictUpdate = 115,
  /* as the kernel's MPTcpExtRcvWndConflict; always 0: nothing moves the window while a segment is written */
  MPTCP_WASM_COUNTER_MPTCP_RcvWndConflict = 116,
  /* as the kernel's MPTcpExtBlackhole */
  MPTCP_WASM_COUNTER_MPTCP_Blackhole = 117,
  /* as the kernel's MPTcpExtMD5SigFallback; always 0: there is no TCP MD5 (RFC 2385) */
  MPTCP_WASM_COUNTER_MPTCP_MD5SigFallback = 118,
  /* as the kernel's MPTcpExtSimultConnectFallback */
  MPTCP_WASM_COUNTER_MPTCP_SimultConnectFallback = 119,
  /* as the kernel's MPTcpExtFallbackFailed */
  MPTCP_WASM_COUNTER_MPTCP_FallbackFailed = 120,
  /* as the kernel's MPTcpExtWinProbe */
  MPTCP_WASM_COUNTER_MPTCP_WinProbe = 121,
  /* SYN cookies sent */
  MPTCP_WASM_COUNTER_SYN_COOKIE_OUT = 82,
  /* connections made from the ACK of a SYN cookie */
  MPTCP_WASM_COUNTER_SYN_COOKIE_GOOD = 83,
  /* ACKs for a listener that were none of a SYN cookie, while some were about */
  MPTCP_WASM_COUNTER_SYN_COOKIE_BAD = 84,
  /* subflows opened again after they failed */
  MPTCP_WASM_COUNTER_SUBFLOW_REOPEN = 140,
  /* paths on which no subflow is opened any more by itself: the peer refused, or the first MP_JOIN failed */
  MPTCP_WASM_COUNTER_PATH_GIVEN_UP = 141,
  /* connections that lost their last subflow and waited for another */
  MPTCP_WASM_COUNTER_REJOIN_WAIT = 142,
  /* of these, connections that got one in time */
  MPTCP_WASM_COUNTER_REJOIN_DONE = 143,
  /* events that mptcp_monitor did not tell because there was no memory for them */
  MPTCP_WASM_COUNTER_MONITOR_LOST = 144,
  /* length of the counter array */
  MPTCP_WASM_COUNTERS = 192,
};

/* At mptcp_result(): the second value of mptcp_send_reserve and mptcp_recv_peek. */
struct mptcp_wasm_result {
  /* where the bytes are in the module's memory */
  uint32_t address;
  /* how many there are, in one piece */
  uint32_t length;
};
MPTCP_WASM_ASSERT(sizeof(struct mptcp_wasm_result) == 8);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_result, address) == 0);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_result, length) == 4);
#define MPTCP_WASM_SIZEOF_RESULT 8

/* One piece of a packet, laid out as `struct iovec` of a 64-bit host. */
struct mptcp_wasm_iovec {
  /* address in the module's memory plus the base given to mptcp_memory_base (0 without) */
  uint64_t base;
  /* bytes */
  uint64_t length;
};
MPTCP_WASM_ASSERT(sizeof(struct mptcp_wasm_iovec) == 16);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_iovec, base) == 0);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_iovec, length) == 8);
#define MPTCP_WASM_SIZEOF_IOVEC 16

/* One packet to send, at mptcp_tx_ring() + index × size. Valid until the next call into the module. */
struct mptcp_wasm_tx_descriptor {
  /* bytes of the whole packet, the virtio-net header included */
  uint32_t length;
  /* used entries of iovecs: piece 0 is the headers, then the payload */
  uint32_t pieces;
  /* payload bytes per segment when the link shall cut it, else 0 */
  uint32_t segment_size;
  /* the link it leaves by */
  uint32_t link;
  /* the pieces in order */
  struct mptcp_wasm_iovec iovecs[8];
  /* the bytes of piece 0 */
  uint8_t header[160];
};
MPTCP_WASM_ASSERT(sizeof(struct mptcp_wasm_tx_descriptor) == 304);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_tx_descriptor, length) == 0);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_tx_descriptor, pieces) == 4);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_tx_descriptor, segment_size) == 8);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_tx_descriptor, link) == 12);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_tx_descriptor, iovecs) == 16);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_tx_descriptor, header) == 144);
#define MPTCP_WASM_SIZEOF_TX_DESCRIPTOR 304

/* One event, at mptcp_event_ring() + index × size. */
struct mptcp_wasm_event {
  /* an EVENT_ value */
  uint32_t type;
  /* the connection or listener */
  uint32_t handle;
  /* see the event */
  int32_t detail;
  /* the id of the subflow concerned, or 0 */
  uint32_t subflow;
  /* of EVENT_SUBFLOW_CLOSED; else 0 */
  uint32_t reason;
  uint8_t reserved[4];
};
MPTCP_WASM_ASSERT(sizeof(struct mptcp_wasm_event) == 24);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_event, type) == 0);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_event, handle) == 4);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_event, detail) == 8);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_event, subflow) == 12);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_event, reason) == 16);
#define MPTCP_WASM_SIZEOF_EVENT 24

/* At the address mptcp_connection_info() returns; valid until the next call into the module. Addresses are 128-bit big-endian numbers in two halves, IPv4 as ::ffff:a.b.c.d. */
struct mptcp_wasm_connection_info {
  /* local address of the initial subflow, upper half */
  uint64_t local_hi;
  /* lower half */
  uint64_t local_lo;
  /* remote address of the initial subflow, upper half */
  uint64_t remote_hi;
  /* lower half */
  uint64_t remote_lo;
  /* local port of the initial subflow */
  uint16_t local_port;
  /* remote port of the initial subflow */
  uint16_t remote_port;
  /* a CONNECTION_ value */
  uint8_t state;
  /* a FALLBACK_ value */
  uint8_t fallback;
  /* Multipath TCP version, 1 (RFC 8684) or 0; 0 too when it is plain TCP */
  uint8_t version;
  /* 1 when the DSS checksum is in use */
  uint8_t checksum;
  /* subflows there are now */
  uint32_t subflows;
  /* subflows established since the beginning */
  uint32_t subflows_total;
  /* the token the peer joins with */
  uint32_t local_token;
  /* the token this side joins with */
  uint32_t remote_token;
  /* a SCHEDULER_ value */
  uint32_t scheduler;
  /* a CONGESTION_ value */
  uint32_t congestion;
  /* this side's key */
  uint64_t local_key;
  /* the peer's key */
  uint64_t remote_key;
  /* oldest data sequence number not acknowledged */
  uint64_t snd_una;
  /* next new data sequence number to send */
  uint64_t snd_nxt;
  /* data sequence number behind the last byte written */
  uint64_t snd_end;
  /* right edge of the peer's window, data sequence number */
  uint64_t snd_window_end;
  /* next data sequence number expected in order */
  uint64_t rcv_nxt;
  /* right edge of the window announced */
  uint64_t rcv_window_end;
  /* new bytes given to subflows */
  uint64_t bytes_sent;
  /* bytes acknowledged at connection level */
  uint64_t bytes_acked;
  /* bytes received in order */
  uint64_t bytes_received;
  /* bytes given to a second subflow (reinjected) */
  uint64_t bytes_retransmitted;
  /* bytes that can be read now */
  uint32_t readable;
  /* bytes that can be written now */
  uint32_t writable;
  /* µs with bytes unacknowledged or waiting to be sent */
  uint64_t busy_time;
  /* µs of these in which the peer's window held back sending */
  uint64_t window_limited_time;
  /* µs of these in which the send buffer was full and all of it sent: a larger one would hold more */
  uint64_t buffer_limited_time;
  /* an OWNER_ value */
  uint32_t owner;
  /* bytes written and not acknowledged at connection level */
  uint32_t unsent;
  /* how far the end of this side's stream is: 0 none, 1 asked for, 2 sent, 3 acknowledged at connection level */
  uint32_t ended;
  /* 1 once the peer's end of stream, and all before it, has arrived */
  uint32_t peer_ended;
  /* thousandths: what BLEST multiplies with now; 0 before it began */
  uint32_t blest_lambda;
  /* 1 while ECF waits for the faster subflow */
  uint32_t ecf_waiting;
  /* times the retransmission timer of the connection ran out (mptcpi_retransmits) */
  uint32_t retransmits;
  /* subflows beside the initial one (mptcpi_subflows) */
  uint8_t extra_subflows;
  /* addresses announced to the peer (mptcpi_add_addr_signal) */
  uint8_t announced;
  /* addresses of the peer that were joined (mptcpi_add_addr_accepted) */
  uint8_t accepted;
  /* endpoints from which subflows were opened (mptcpi_local_addr_used) */
  uint8_t local_used;
  /* the limit of extraSubflows (mptcpi_subflows_max) */
  uint8_t extra_max;
  /* endpoints to announce (mptcpi_add_addr_signal_max) */
  uint8_t announced_max;
  /* the limit of accepted (mptcpi_add_addr_accepted_max) */
  uint8_t accepted_max;
  /* endpoints to open subflows from (mptcpi_local_addr_max) */
  uint8_t local_max;
  /* a PATH_MANAGER_ value */
  uint8_t path_manager;
  /* a PATH_MODE_ value */
  uint8_t path_mode;
  /* 1 when this side connected */
  uint8_t active;
  /* 1 once the peer has shown that it has the keys: paths can be added */
  uint8_t confirmed;
};
MPTCP_WASM_ASSERT(sizeof(struct mptcp_wasm_connection_info) == 232);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, local_hi) == 0);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, local_lo) == 8);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, remote_hi) == 16);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, remote_lo) == 24);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, local_port) == 32);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, remote_port) == 34);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, state) == 36);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, fallback) == 37);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, version) == 38);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, checksum) == 39);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, subflows) == 40);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, subflows_total) == 44);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, local_token) == 48);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, remote_token) == 52);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, scheduler) == 56);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, congestion) == 60);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, local_key) == 64);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, remote_key) == 72);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, snd_una) == 80);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, snd_nxt) == 88);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, snd_end) == 96);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, snd_window_end) == 104);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, rcv_nxt) == 112);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, rcv_window_end) == 120);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, bytes_sent) == 128);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, bytes_acked) == 136);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, bytes_received) == 144);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, bytes_retransmitted) == 152);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, readable) == 160);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, writable) == 164);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, busy_time) == 168);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, window_limited_time) == 176);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, buffer_limited_time) == 184);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, owner) == 192);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, unsent) == 196);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, ended) == 200);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, peer_ended) == 204);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, blest_lambda) == 208);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, ecf_waiting) == 212);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, retransmits) == 216);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, extra_subflows) == 220);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, announced) == 221);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, accepted) == 222);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, local_used) == 223);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, extra_max) == 224);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, announced_max) == 225);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, accepted_max) == 226);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, local_max) == 227);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, path_manager) == 228);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, path_mode) == 229);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, active) == 230);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_connection_info, confirmed) == 231);
#define MPTCP_WASM_SIZEOF_CONNECTION_INFO 232

/* At the address mptcp_listener_info() returns; valid until the next call into the module. */
struct mptcp_wasm_listener_info {
  /* local address, upper half; 0 with a lower half of 0 is any */
  uint64_t local_hi;
  /* lower half */
  uint64_t local_lo;
  /* the port it listens on */
  uint32_t port;
  /* connections that may wait to be accepted */
  uint32_t backlog;
  /* connections that wait to be accepted */
  uint32_t waiting;
  /* these, and connections in their handshake */
  uint32_t pending;
  /* CONNECT_ bits */
  uint32_t flags;
  uint8_t reserved[4];
};
MPTCP_WASM_ASSERT(sizeof(struct mptcp_wasm_listener_info) == 40);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_listener_info, local_hi) == 0);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_listener_info, local_lo) == 8);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_listener_info, port) == 16);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_listener_info, backlog) == 20);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_listener_info, waiting) == 24);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_listener_info, pending) == 28);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_listener_info, flags) == 32);
#define MPTCP_WASM_SIZEOF_LISTENER_INFO 40

/* At the address mptcp_subflow_info() returns; valid until the next call into the module. */
struct mptcp_wasm_subflow_info {
  /* local address, upper half */
  uint64_t local_hi;
  /* lower half */
  uint64_t local_lo;
  /* remote address, upper half */
  uint64_t remote_hi;
  /* lower half */
  uint64_t remote_lo;
  /* local port */
  uint16_t local_port;
  /* remote port */
  uint16_t remote_port;
  /* a TCP_ value */
  uint8_t state;
  /* SUBFLOW_ bits */
  uint8_t flags;
  /* address id of the local address */
  uint8_t local_id;
  /* address id of the remote address */
  uint8_t remote_id;
  /* the subflow's number within its connection, from 1, never used twice */
  uint32_t id;
  /* the link it runs over */
  uint32_t link;
  /* smoothed RTT, µs, 0 before the first sample */
  uint32_t srtt;
  /* RTT variation, µs */
  uint32_t rtt_var;
  /* smallest RTT seen, µs */
  uint32_t min_rtt;
  /* retransmission timeout, µs, with backoff */
  uint32_t rto;
  /* congestion window, bytes */
  uint32_t cwnd;
  /* slow start threshold, bytes */
  uint32_t ssthresh;
  /* largest payload of one segment, bytes */
  uint32_t mss;
  /* bytes sent and not acknowledged, sacked or lost */
  uint32_t in_flight;
  /* window the peer announced on this subflow, bytes */
  uint32_t snd_window;
  /* retransmission timeouts since the last progress */
  uint32_t backoff;
  /* payload bytes sent, retransmissions included */
  uint64_t bytes_sent;
  /* payload bytes acknowledged on this subflow */
  uint64_t bytes_acked;
  /* payload bytes received in order on this subflow */
  uint64_t bytes_received;
  /* payload bytes sent again on this subflow */
  uint64_t bytes_retransmitted;
  /* segments sent */
  uint64_t segments_out;
  /* segments received */
  uint64_t segments_in;
  /* segments sent again */
  uint64_t retransmits;
  /* retransmission timeouts */
  uint64_t timeouts;
  /* TCP_OPTION_ bits: what both sides agreed on */
  uint8_t options;
  /* a RECOVERY_ value */
  uint8_t recovery;
  /* window scale of the peer */
  uint8_t snd_shift;
  /* window scale of this side */
  uint8_t rcv_shift;
  /* bytes of the largest packet the path takes, as far as is known */
  uint32_t pmtu;
  /* MSS announced to the peer, bytes */
  uint32_t adv_mss;
  /* largest segment received, payload bytes */
  uint32_t rcv_mss;
  /* longest time an ACK of data is held back, µs */
  uint32_t ato;
  /* bytes sent and not acknowledged; of them */
  uint32_t outstanding;
  /* bytes sacked */
  uint32_t sacked;
  /* bytes taken for lost and not sent again */
  uint32_t lost;
  /* bytes sent again and neither sacked nor lost again */
  uint32_t retransmitted;
  /* bytes given to this subflow and not sent yet */
  uint32_t not_sent;
  /* how long reordered segments are waited for, quarters of the smallest RTT; 0 while no reordering was seen */
  uint32_t reordering;
  /* DSACK reports: segments that arrived twice at the peer */
  uint32_t duplicates;
  /* segments with data received out of order */
  uint32_t out_of_order;
  /* segments with data sent, those sent again included */
  uint32_t data_segments_out;
  /* segments with data received */
  uint32_t data_segments_in;
  /* RTT as the receiving side sees it, µs, 0 before the first sample */
  uint32_t rcv_rtt;
  /* bytes the application read in the fastest round trip so far; of the whole connection */
  uint32_t rcv_space;
  /* window announced and not used, bytes; of the whole connection */
  uint32_t rcv_window;
  /* bytes the receive buffer may hold now; of the whole connection */
  uint32_t receive_buffer;
  /* bytes the send buffer may hold now; of the whole connection */
  uint32_t send_buffer;
  /* bytes per second at which segments leave; 0 when they are not paced */
  uint64_t pacing_rate;
  /* bytes that arrived by what the peer acknowledged or sacked */
  uint64_t delivered;
  /* bytes per second that arrived in the last whole round trip, 0 before the first */
  uint64_t delivery_rate;
  /* µs since data was sent; since the beginning of time before the first */
  uint64_t last_data_sent;
  /* µs since data was received; likewise */
  uint64_t last_data_received;
  /* µs since any acceptable segment was received */
  uint64_t last_received;
  /* a CONGESTION_ value: the controller in use here */
  uint32_t congestion;
  /* 1 when it was set for this subflow and does not follow the connection's */
  uint32_t congestion_own;
  /* how many quanta it gets in its turn (SCHEDULER_ROUND_ROBIN) */
  uint32_t weight;
  /* times the scheduler gave it bytes */
  uint32_t times_chosen;
  /* times it had room and the scheduler waited for a faster one (SCHEDULER_BLEST, SCHEDULER_ECF) */
  uint32_t times_held_back;
  /* times it had room and the peer's window, or a full send buffer, left it nothing, because of bytes on a slower one */
  uint32_t times_blocked;
  /* times its congestion window was halved for that (CONFIG_PENALISATION) */
  uint32_t times_penalised;
  /* bytes it was given that another subflow had before */
  uint64_t bytes_reinjected;
  /* bytes it was given as copies (SCHEDULER_REDUNDANT) */
  uint64_t bytes_redundant;
};
MPTCP_WASM_ASSERT(sizeof(struct mptcp_wasm_subflow_info) == 328);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, local_hi) == 0);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, local_lo) == 8);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, remote_hi) == 16);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, remote_lo) == 24);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, local_port) == 32);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, remote_port) == 34);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, state) == 36);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, flags) == 37);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, local_id) == 38);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, remote_id) == 39);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, id) == 40);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, link) == 44);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, srtt) == 48);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, rtt_var) == 52);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, min_rtt) == 56);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, rto) == 60);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, cwnd) == 64);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, ssthresh) == 68);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, mss) == 72);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, in_flight) == 76);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, snd_window) == 80);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, backoff) == 84);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, bytes_sent) == 88);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, bytes_acked) == 96);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, bytes_received) == 104);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, bytes_retransmitted) == 112);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, segments_out) == 120);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, segments_in) == 128);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, retransmits) == 136);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, timeouts) == 144);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, options) == 152);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, recovery) == 153);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, snd_shift) == 154);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, rcv_shift) == 155);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, pmtu) == 156);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, adv_mss) == 160);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, rcv_mss) == 164);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, ato) == 168);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, outstanding) == 172);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, sacked) == 176);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, lost) == 180);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, retransmitted) == 184);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, not_sent) == 188);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, reordering) == 192);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, duplicates) == 196);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, out_of_order) == 200);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, data_segments_out) == 204);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, data_segments_in) == 208);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, rcv_rtt) == 212);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, rcv_space) == 216);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, rcv_window) == 220);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, receive_buffer) == 224);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, send_buffer) == 228);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, pacing_rate) == 232);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, delivered) == 240);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, delivery_rate) == 248);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, last_data_sent) == 256);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, last_data_received) == 264);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, last_received) == 272);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, congestion) == 280);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, congestion_own) == 284);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, weight) == 288);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, times_chosen) == 292);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, times_held_back) == 296);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, times_blocked) == 300);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, times_penalised) == 304);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, bytes_reinjected) == 312);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_subflow_info, bytes_redundant) == 320);
#define MPTCP_WASM_SIZEOF_SUBFLOW_INFO 328

/* At the address mptcp_local_address_info() and mptcp_remote_address_info() return; valid until the next call into the module. */
struct mptcp_wasm_address_info {
  /* address, upper half */
  uint64_t hi;
  /* lower half */
  uint64_t lo;
  /* the port that goes with it, 0 for that of the connection */
  uint16_t port;
  /* address id */
  uint8_t id;
  /* 1 when the peer echoed the announcement; of an address of the peer, when this side did */
  uint8_t echoed;
  /* 1 once a subflow from it, or to it, was opened by this side */
  uint8_t joined;
  uint8_t reserved[3];
};
MPTCP_WASM_ASSERT(sizeof(struct mptcp_wasm_address_info) == 24);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_address_info, hi) == 0);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_address_info, lo) == 8);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_address_info, port) == 16);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_address_info, id) == 18);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_address_info, echoed) == 19);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_address_info, joined) == 20);
#define MPTCP_WASM_SIZEOF_ADDRESS_INFO 24

/* One event of the whole stack, at the address mptcp_monitor() leaves in Result + index × size. What a kind of event has nothing to say of is 0. */
struct mptcp_wasm_monitor_event {
  /* EVENT_CREATED, EVENT_ESTABLISHED, EVENT_CLOSED, EVENT_ADDRESS_ANNOUNCED, EVENT_ADDRESS_REMOVED, EVENT_SUBFLOW_ESTABLISHED, EVENT_SUBFLOW_CLOSED, EVENT_SUBFLOW_PRIORITY (of joined subflows), EVENT_LISTENER_CREATED or EVENT_LISTENER_CLOSED */
  uint32_t type;
  /* this side's token of the connection */
  uint32_t token;
  /* local address, upper half */
  uint64_t local_hi;
  /* lower half */
  uint64_t local_lo;
  /* remote address, upper half; of EVENT_ADDRESS_ANNOUNCED the address announced */
  uint64_t remote_hi;
  /* lower half */
  uint64_t remote_lo;
  /* local port */
  uint16_t local_port;
  /* remote port; of EVENT_ADDRESS_ANNOUNCED the port announced or 0 */
  uint16_t remote_port;
  /* the connection or listener, which may be gone by now */
  uint32_t handle;
  /* id of the subflow */
  uint32_t subflow;
  /* the link of the subflow */
  int32_t link;
  /* ERR_ value that ended the subflow or connection, or 0 */
  int32_t error;
  /* address id of the local address */
  uint8_t local_id;
  /* address id of the remote address, announced or withdrawn */
  uint8_t remote_id;
  /* SUBFLOW_BACKUP_ bits */
  uint8_t backup;
  /* 1 when the peer connected */
  uint8_t server_side;
};
MPTCP_WASM_ASSERT(sizeof(struct mptcp_wasm_monitor_event) == 64);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, type) == 0);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, token) == 4);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, local_hi) == 8);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, local_lo) == 16);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, remote_hi) == 24);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, remote_lo) == 32);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, local_port) == 40);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, remote_port) == 42);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, handle) == 44);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, subflow) == 48);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, link) == 52);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, error) == 56);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, local_id) == 60);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, remote_id) == 61);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, backup) == 62);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_monitor_event, server_side) == 63);
#define MPTCP_WASM_SIZEOF_MONITOR_EVENT 64

/* At the address mptcp_pool_info() returns: what is in use now. */
struct mptcp_wasm_pool_info {
  /* pages in the budget */
  uint32_t pages;
  /* pages not in use */
  uint32_t pages_free;
  /* pages that hold the objects counted below; they are kept for re-use */
  uint32_t pages_pools;
  /* connections, those in closing included */
  uint32_t connections;
  /* subflows, those in TIME-WAIT included */
  uint32_t subflows;
  /* listeners */
  uint32_t listeners;
  /* data-sequence maps of senders */
  uint32_t maps;
  /* records of segments in flight */
  uint32_t segments;
  /* ranges of bytes received out of order */
  uint32_t ranges;
  /* data-sequence maps of receivers */
  uint32_t receive_maps;
  /* page tables of receive buffers */
  uint32_t tables;
  /* armed timers */
  uint32_t timers;
  /* addresses announced, by this side and by peers, and subflows to be opened again */
  uint32_t paths;
  uint8_t reserved[4];
};
MPTCP_WASM_ASSERT(sizeof(struct mptcp_wasm_pool_info) == 56);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, pages) == 0);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, pages_free) == 4);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, pages_pools) == 8);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, connections) == 12);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, subflows) == 16);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, listeners) == 20);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, maps) == 24);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, segments) == 28);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, ranges) == 32);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, receive_maps) == 36);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, tables) == 40);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, timers) == 44);
MPTCP_WASM_ASSERT(offsetof(struct mptcp_wasm_pool_info, paths) == 48);
#define MPTCP_WASM_SIZEOF_POOL_INFO 56

/* Makes the stack of this instance: takes `budget` bytes of memory, once and for good, and 32 bytes of seed for keys, ports and sequence numbers. Returns 0, ERR_INVALID for a budget outside BUDGET_MIN to BUDGET_MAX, ERR_NO_MEMORY when the host has less, ERR_STATE when called twice. */
int32_t mptcp_create(int32_t budget, int64_t seed0, int64_t seed1, int64_t seed2, int64_t seed3);

/* Sets the number added to every Iovec.base, so that a native host can give the records to writev() as they are. Returns 0. */
int32_t mptcp_memory_base(int64_t base);

/* Sets a CONFIG_ value of the stack (handle 0) or of one connection. Returns 0, ERR_INVALID for an unknown key or a value out of range, ERR_HANDLE. */
int32_t mptcp_set(int32_t handle, int32_t key, int64_t value);

/* Reads a CONFIG_ value. Returns the value, ERR_INVALID or ERR_HANDLE. */
int64_t mptcp_get(int32_t handle, int32_t key);

/* Sets the clock, µs since any fixed moment, and runs the timers that are due. Call it before a batch of other calls. Returns 0, or ERR_TIME when `now` is before an earlier one or beyond 2^61 (the clock then stays). */
int32_t mptcp_time(int64_t now);

/* The time, µs, at which mptcp_time must be called next, or ERR_DONE when nothing is due ever. It can be earlier than any timer, never later. */
int64_t mptcp_deadline(void);

/* Adds a link of LINK_ flags; `mtu` is its largest IP packet, 576 to 65,535 (1,280 at least for IPv6). Returns the link's number, ERR_INVALID or ERR_LIMIT. */
int32_t mptcp_link_add(int32_t mtu, int32_t flags);

/* Removes a link with its addresses and routes; subflows on it are closed. Returns 0 or ERR_INVALID. */
int32_t mptcp_link_remove(int32_t link);

/* Says that a link lost (0) or got back (1) its carrier: subflows on a link that is down count as stale and send nothing, and try again at once when it is up. Returns 0 or ERR_INVALID. */
int32_t mptcp_link_up(int32_t link, int32_t up);

/* Gives a link an address; `prefix` counts the bits of the on-link prefix, 0 to 128 (an IPv4 prefix length plus 96). Returns 0, ERR_INVALID, ERR_ADDRESS_IN_USE or ERR_LIMIT. */
int32_t mptcp_address_add(int32_t link, int64_t hi, int64_t lo, int32_t prefix);

/* Takes an address from a link; subflows from it are closed and their peers told (REMOVE_ADDR). Returns 0, ERR_INVALID or ERR_ADDRESS_NOT_AVAILABLE. */
int32_t mptcp_address_remove(int32_t link, int64_t hi, int64_t lo);

/* Sends packets for a destination prefix by a link when the source address does not decide it; longest prefix first. Returns 0, ERR_INVALID or ERR_LIMIT. */
int32_t mptcp_route_add(int32_t link, int64_t hi, int64_t lo, int32_t prefix);

/* Removes a route. Returns 0, ERR_INVALID, or ERR_ADDRESS_NOT_AVAILABLE when there is no such route. */
int32_t mptcp_route_remove(int32_t link, int64_t hi, int64_t lo, int32_t prefix);

/* Adds a path-manager endpoint with ENDPOINT_ flags and acts on it for connections there are. `id` 1 to 255, or 0 to have one chosen; `port` 0 unless announced. Returns the id, ERR_INVALID, ERR_ADDRESS_NOT_AVAILABLE, ERR_ADDRESS_IN_USE or ERR_LIMIT. */
int32_t mptcp_endpoint_add(int64_t hi, int64_t lo, int32_t port, int32_t id, int32_t flags);

/* Removes an endpoint: its announcement is withdrawn (REMOVE_ADDR) and its subflows are closed. Returns 0 or ERR_INVALID. */
int32_t mptcp_endpoint_remove(int32_t id);

/* The address of receive slot `slot`, RX_SLOT_BYTES long. Returns the address or ERR_INVALID. */
int32_t mptcp_rx_slot(int32_t slot);

/* Takes the packet of `length` bytes (virtio-net header included) in a receive slot that came by `link`. The slot is free again on return. Returns 0; with CONFIG_SHARDS above 1, 1 + the number of the shard that this packet must be given to (it is untouched in its slot); ERR_INVALID, ERR_MALFORMED, ERR_DROPPED or ERR_NO_MEMORY (the packet was dropped and counted). */
int32_t mptcp_ingest(int32_t link, int32_t slot, int32_t length);

/* Makes up to `max` (at most TX_BATCH) packets to send by `link` now. The host sends or drops them before its next call into the module. Returns their number, 0 when there is nothing to send, or ERR_INVALID. */
int32_t mptcp_transmit(int32_t link, int32_t max);

/* The address of TxDescriptor 0. */
int32_t mptcp_tx_ring(void);

/* Takes up to `max` (at most EVENT_BATCH) events into the event ring, oldest connection first. Returns their number, 0 when there are none. Events are kept per connection and coalesce: they are never lost, but for those that carry an id (of a subflow or address) when their share of the memory is used up; what they tell can be asked for. */
int32_t mptcp_events(int32_t max);

/* The address of Event 0. */
int32_t mptcp_event_ring(void);

/* Listens on a local address (0, 0 for any) and port (0 to have one chosen). Returns the listener's handle, ERR_INVALID, ERR_ADDRESS_IN_USE, ERR_ADDRESS_NOT_AVAILABLE or ERR_NO_MEMORY. */
int32_t mptcp_listen(int64_t hi, int64_t lo, int32_t port, int32_t backlog, int32_t flags);

/* The port a listener listens on, or ERR_HANDLE. */
int32_t mptcp_listener_port(int32_t listener);

/* Takes the next established connection. Returns its handle, ERR_DONE or ERR_HANDLE. */
int32_t mptcp_accept(int32_t listener);

/* Begins a connection; local address 0, 0 and port 0 are chosen. EVENT_CONNECTED or EVENT_CLOSED follows. Returns its handle, ERR_INVALID, ERR_UNREACHABLE, ERR_ADDRESS_NOT_AVAILABLE, ERR_ADDRESS_IN_USE or ERR_NO_MEMORY. */
int32_t mptcp_connect(int64_t local_hi, int64_t local_lo, int32_t local_port, int64_t remote_hi, int64_t remote_lo, int32_t remote_port, int32_t flags);

/* Reserves room for up to `max` bytes in one piece at the end of the send buffer; Result says where. Returns the bytes reserved, ERR_DONE when there is no room now (EVENT_WRITABLE follows), ERR_PIPE, ERR_NOT_CONNECTED, ERR_INVALID or ERR_HANDLE. Writing while connecting is allowed: the bytes wait. */
int32_t mptcp_send_reserve(int32_t connection, int32_t max);

/* Sends the first `length` bytes of the room reserved last. Returns `length`, ERR_INVALID for more than was reserved, ERR_PIPE or ERR_HANDLE. */
int32_t mptcp_send_commit(int32_t connection, int32_t length);

/* Copies bytes from the scratch area into the send buffer. Returns how many were taken, else as mptcp_send_reserve. */
int32_t mptcp_send(int32_t connection, int32_t address, int32_t length);

/* Shows the next bytes received, in one piece; Result says where. Returns their number, 0 at the end of the stream, ERR_DONE when there are none now, the error that ended the connection, or ERR_HANDLE. */
int32_t mptcp_recv_peek(int32_t connection);

/* Frees the first `length` bytes shown by mptcp_recv_peek, which opens the window. Returns `length`, ERR_INVALID or ERR_HANDLE. */
int32_t mptcp_recv_consume(int32_t connection, int32_t length);

/* Copies up to `length` bytes received into the scratch area. Returns how many, else as mptcp_recv_peek. */
int32_t mptcp_recv(int32_t connection, int32_t address, int32_t length);

/* Ends the sending side after the bytes written (DATA_FIN or FIN); receiving goes on. Returns 0 or ERR_HANDLE. */
int32_t mptcp_shutdown(int32_t connection);

/* Gives up the handle of a listener or connection. A connection with unread bytes is aborted, any other is shut down and ends by itself; no further event comes. Returns 0 or ERR_HANDLE. */
int32_t mptcp_close(int32_t handle);

/* Resets the connection at once (MP_FASTCLOSE, RST) and gives up the handle. Returns 0 or ERR_HANDLE. */
int32_t mptcp_abort(int32_t connection);

/* The address of the Result record. */
int32_t mptcp_result(void);

/* Fills the ConnectionInfo record, of any connection there is, whoever has it. Returns its address or ERR_HANDLE. */
int32_t mptcp_connection_info(int32_t connection);

/* Fills the SubflowInfo record of the connection's subflow number `index`, from 0. Returns its address, ERR_DONE past the last one, or ERR_HANDLE. */
int32_t mptcp_subflow_info(int32_t connection, int32_t index);

/* Fills the PoolInfo record. Returns its address or ERR_STATE. */
int32_t mptcp_pool_info(void);

/* The address of the array of COUNTERS 64-bit counters. */
int32_t mptcp_counters(void);

/* The address of the scratch area, SCRATCH_BYTES long, for mptcp_send and mptcp_recv. */
int32_t mptcp_scratch(void);

/* Walks what there is of a KIND_ value, in the order of their handles' indices: the one behind handle `after`, or the first for 0. A handle that has gone stale meanwhile will do. Connections that nobody accepted yet, or that the application has given up, are among them (ConnectionInfo.owner): of these mptcp_connection_info and mptcp_subflow_info tell as of any other, and nothing else takes their handles. Returns a handle, ERR_DONE behind the last one, or ERR_INVALID. */
int32_t mptcp_next(int32_t kind, int32_t after);

/* Fills the ListenerInfo record. Returns its address or ERR_HANDLE. */
int32_t mptcp_listener_info(int32_t listener);

/* Fills the SubflowInfo record of a subflow that mptcp_next found with KIND_TIME_WAIT. Returns its address or ERR_HANDLE. */
int32_t mptcp_time_wait_info(int32_t subflow);

/* Changes the flags ENDPOINT_BACKUP and ENDPOINT_FULLMESH of an endpoint to those given, as `ip mptcp endpoint change` does, and acts on it at once: subflows from it change their priority (MP_PRIO); with a changed ENDPOINT_FULLMESH they are closed and opened as the new flags say. Other flags must be those the endpoint has, or left out. Returns 0 or ERR_INVALID. */
int32_t mptcp_endpoint_change(int32_t id, int32_t flags);

/* Opens a subflow (MP_JOIN) with OPEN_ flags: local address 0, 0 and port 0 are chosen, remote address 0, 0 is that of the initial subflow, remote port 0 that of an address announced with one, else that of the initial subflow; address ids -1 are looked up. EVENT_SUBFLOW_ESTABLISHED or EVENT_SUBFLOW_CLOSED follows. Limits of the path manager do not count. Returns the subflow's id, ERR_INVALID, ERR_HANDLE, ERR_NOT_MULTIPATH, ERR_DENIED, ERR_UNREACHABLE, ERR_ADDRESS_NOT_AVAILABLE, ERR_ADDRESS_IN_USE, ERR_LIMIT or ERR_NO_MEMORY. */
int32_t mptcp_subflow_open(int32_t connection, int64_t local_hi, int64_t local_lo, int32_t local_port, int32_t local_id, int64_t remote_hi, int64_t remote_lo, int32_t remote_port, int32_t remote_id, int32_t flags);

/* Closes a subflow by its id; what it carried goes to others, and it is not opened again. With reason 0 (RESET_UNSPECIFIED) one that works ends by FIN, and EVENT_SUBFLOW_CLOSED follows when the peer has answered it; any other reason, 1 to 6, is told at once by RST with MP_TCPRST, also on a subflow that is being closed. Returns 0, ERR_INVALID, ERR_HANDLE, ERR_NOT_MULTIPATH or ERR_NOT_FOUND. */
int32_t mptcp_subflow_close(int32_t connection, int32_t subflow, int32_t reason);

/* Sets a SUBFLOW_OPTION_ of a subflow. Returns 0, ERR_INVALID, ERR_HANDLE, ERR_NOT_FOUND or ERR_NOT_MULTIPATH (SUBFLOW_OPTION_BACKUP of plain TCP). */
int32_t mptcp_subflow_set(int32_t connection, int32_t subflow, int32_t key, int64_t value);

/* Reads a SUBFLOW_OPTION_ of a subflow. Returns the value, ERR_INVALID, ERR_HANDLE or ERR_NOT_FOUND. */
int64_t mptcp_subflow_get(int32_t connection, int32_t subflow, int32_t key);

/* Announces an address to the peer (ADD_ADDR), again until it is echoed; port 0 is that of the connection, id 0 has one chosen. The address may be one of no link, behind a translator. Returns the id, ERR_INVALID, ERR_HANDLE, ERR_NOT_MULTIPATH, ERR_ADDRESS_IN_USE (of another address, or announced already), ERR_LIMIT or ERR_NO_MEMORY. */
int32_t mptcp_address_announce(int32_t connection, int64_t hi, int64_t lo, int32_t port, int32_t id);

/* Withdraws an address id, 0 to 255 (REMOVE_ADDR): that of an announced address or of the local address of a subflow. Subflows are left to their peer, which closes them. Returns 0, ERR_INVALID, ERR_HANDLE, ERR_NOT_MULTIPATH, ERR_NOT_FOUND or ERR_LIMIT (too many wait to be sent). */
int32_t mptcp_address_withdraw(int32_t connection, int32_t id);

/* Fills the AddressInfo record with the address number `index`, from 0, that was announced to the peer. Returns its address, ERR_DONE past the last one, or ERR_HANDLE. */
int32_t mptcp_local_address_info(int32_t connection, int32_t index);

/* Fills the AddressInfo record with the address number `index`, from 0, that the peer announced. Returns its address, ERR_DONE past the last one, or ERR_HANDLE. */
int32_t mptcp_remote_address_info(int32_t connection, int32_t index);

/* Takes up to `max` (at most EVENT_BATCH) events of the whole stack, oldest first, which are kept with CONFIG_MONITOR; Result says where the MonitorEvent records are. Returns their number, 0 when there are none, or ERR_INVALID. */
int32_t mptcp_monitor(int32_t max);

#undef MPTCP_WASM_ASSERT

#ifdef __cplusplus
}
#endif

#endif

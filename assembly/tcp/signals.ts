/** What an operation on a subflow did that the layers above must act on; the bits of its result. */

/** The three-way handshake is complete. */
export const SIGNAL_ESTABLISHED: u32 = 1;
/** New octets were acknowledged, see acknowledged(). */
export const SIGNAL_ACKED: u32 = 2;
/** Losses were found and recovery begins. */
export const SIGNAL_RECOVERY: u32 = 4;
/** The retransmission timer ran out. */
export const SIGNAL_TIMEOUT: u32 = 8;
/** All that was outstanding when recovery began is acknowledged. */
export const SIGNAL_RECOVERED: u32 = 16;
/** The subflow is in CLOSED and can be freed. */
export const SIGNAL_CLOSED: u32 = 32;
/** The peer reset it. */
export const SIGNAL_RESET: u32 = 64;
/** The peer stopped answering. */
export const SIGNAL_TIMED_OUT: u32 = 128;
/** The segment may carry data: it is in a state that takes some, and acceptable. */
export const SIGNAL_DATA: u32 = 256;
/** The segment's options and ACK are valid; it was not dropped. */
export const SIGNAL_VALID: u32 = 512;
/** The subflow entered TIME-WAIT. */
export const SIGNAL_TIME_WAIT: u32 = 1024;
/** A SYN goes out again. */
export const SIGNAL_SYN_TIMEOUT: u32 = 2048;
/** The segment's data is old: only its acknowledgments count. */
export const SIGNAL_OLD: u32 = 131072;
/** An ICMP error was about nothing in flight. */
export const SIGNAL_STRAY: u32 = 65536;
/** The peer sent its SYN/ACK again, as the third ACK has not come; nothing else of the segment is valid. */
export const SIGNAL_SYN_ACK_AGAIN: u32 = 262144;
/** A tail loss probe repaired a loss (RFC 8985 section 7.4.2). */
export const SIGNAL_TAIL_LOSS: u32 = 4096;
/** The last retransmissions were not needed: what they did to the congestion window is taken back. */
export const SIGNAL_SPURIOUS: u32 = 8192;
/** Bytes were delivered: acknowledged or sacked for the first time, see delivered(). */
export const SIGNAL_DELIVERED: u32 = 16384;
/** Segments were found to be lost. */
export const SIGNAL_LOST: u32 = 32768;

/*
 * The loops of the micro benches that exist in C: the Internet checksum (RFC 1071) and the copy, as the core has them.
 *
 * Usage: loops checksum|copy BYTES
 * Prints one JSON object on one line: nanoseconds of one operation, the median of some rounds.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { AREA = 1 << 21, WINDOW = 1 << 18, ROUNDS = 9 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Sums of 32-bit words in 64 bits; carries are folded at the end. */
static uint64_t sum_bytes(const uint8_t *p, size_t length, uint64_t sum) {
  while (length >= 4) {
    uint32_t word;
    memcpy(&word, p, 4);
    sum += word;
    p += 4;
    length -= 4;
  }
  if (length >= 2) {
    uint16_t half;
    memcpy(&half, p, 2);
    sum += half;
    p += 2;
    length -= 2;
  }
  if (length != 0) sum += *p;
  return sum;
}

static uint32_t fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return ~(uint32_t)sum & 0xffff;
}

static void checksums(const uint8_t *bytes, size_t length, long times) {
  volatile uint32_t result;
  uint32_t seen = 0;
  for (long i = 0; i < times; i++) seen += fold(sum_bytes(bytes, length, seen));
  result = seen;
  (void)result;
}

static void copies(uint8_t *bytes, size_t length, long times) {
  size_t half = WINDOW > length ? WINDOW : length;
  size_t at = 0;
  for (long i = 0; i < times; i++) {
    memcpy(bytes + AREA + at, bytes + at, length);
    __asm__ volatile("" ::: "memory");
    at += length;
    if (at + length > half) at = 0;
  }
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int main(int count, char **arguments) {
  long length = count == 3 ? strtol(arguments[2], NULL, 10) : 0;
  int checksum = count == 3 && strcmp(arguments[1], "checksum") == 0;
  if (length < 1 || length > 65535 || (!checksum && strcmp(arguments[1], "copy") != 0)) {
    fputs("usage: loops checksum|copy BYTES, with BYTES from 1 to 65535\n", stderr);
    return 2;
  }
  uint8_t *bytes = malloc(2 * AREA);
  if (bytes == NULL) {
    fputs("loops: no memory\n", stderr);
    return 1;
  }
  for (size_t i = 0; i < 2 * AREA; i++) bytes[i] = (uint8_t)(i * 7 + 3);
  long times = 40000000L / (length + 100);
  double rounds[ROUNDS];
  for (int round = -1; round < ROUNDS; round++) {
    double start = now();
    if (checksum) checksums(bytes, (size_t)length, times);
    else copies(bytes, (size_t)length, times);
    /* The first round only warms up. */
    if (round >= 0) rounds[round] = (now() - start) / (double)times;
  }
  qsort(rounds, ROUNDS, sizeof rounds[0], ascending);
  printf("{\"ns\":%.3f}\n", rounds[ROUNDS / 2]);
  free(bytes);
  return 0;
}

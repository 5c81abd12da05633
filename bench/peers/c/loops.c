/*
 * The loops of the micro benches that exist in C: the Internet checksum (RFC 1071) and the copy, as the core has them.
 * Prints one JSON object on one line: nanoseconds of one operation, by case, the fastest of some rounds each.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { AREA = 1 << 21, ROUNDS = 7 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Two's complement sums of 32-bit words in 64 bits; carries are folded at the end. */
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

static double checksum_ns(const uint8_t *bytes, size_t length, long times) {
  double best = 1e18;
  for (int round = 0; round < ROUNDS; round++) {
    volatile uint32_t result;
    uint32_t seen = 0;
    double start = now();
    for (long i = 0; i < times; i++) seen += fold(sum_bytes(bytes, length, seen));
    result = seen;
    (void)result;
    double each = (now() - start) / (double)times;
    if (each < best) best = each;
  }
  return best;
}

static double copy_ns(uint8_t *bytes, size_t length, size_t window, long times) {
  double best = 1e18;
  size_t half = window > length ? window : length;
  for (int round = 0; round < ROUNDS; round++) {
    size_t at = 0;
    double start = now();
    for (long i = 0; i < times; i++) {
      memcpy(bytes + AREA + at, bytes + at, length);
      __asm__ volatile("" ::: "memory");
      at += length;
      if (at + length > half) at = 0;
    }
    double each = (now() - start) / (double)times;
    if (each < best) best = each;
  }
  return best;
}

int main(void) {
  const size_t sizes[] = {20, 1460, 65535};
  uint8_t *bytes = malloc(2 * AREA);
  if (bytes == NULL) {
    fputs("loops: no memory\n", stderr);
    return 1;
  }
  for (size_t i = 0; i < 2 * AREA; i++) bytes[i] = (uint8_t)(i * 7 + 3);
  putchar('{');
  for (int i = 0; i < 3; i++) {
    long times = 20000000L / (long)(sizes[i] + 100);
    printf("%s\"checksum-%zu\":%.3f,\"copy-%zu\":%.3f", i == 0 ? "" : ",", sizes[i],
           checksum_ns(bytes, sizes[i], times), sizes[i], copy_ns(bytes, sizes[i], 1 << 18, times * 10));
  }
  puts("}");
  free(bytes);
  return 0;
}

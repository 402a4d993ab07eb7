/*
 * Fuzzes the plan decoder. Whatever bytes come, decode() must not read or write outside of them, and every plan that it
 * accepts must keep the promises that the interpreter relies on. A seeded mutational driver, so that gcc's sanitizers
 * are all it needs: fuzz SECONDS SEED FILE… starts from the plans in the files. Prints what it did; ends by abort(3)
 * with the seed of the case that broke something.
 */
#define KEEL_HOSTED
#define main keel_main
#include "../keel.c"
#undef main
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LARGEST (1u << 20)

static u64 state;

static u64 next(void) { /* xorshift64* */
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1dULL;
}

static u64 below(u64 n) { return n ? next() % n : 0; }

/* Numbers at which checks go wrong. */
static u64 interesting(u64 size) {
  const u64 values[] = {0, 1, 2, 3, 4, 7, 8, 11, 12, 16, 31, 32, 63, 64, 65, 95, 96, 112, size, size - 1, size + 1, size - 8, size / 2, 0x7fffffff, 0x80000000u,
                        0xffffffffu, 0xfffffff8u, 0x100000000ULL, 0x7fffffffffffffffULL, 0x8000000000000000ULL, ~0ULL, ~0ULL - 7};
  return values[below(sizeof values / sizeof *values)];
}

static u32 mutate(u8 *bytes, u32 size) {
  for (u64 n = 1 + below(6); n > 0; n--) {
    switch (below(size < 8 ? 2 : 8)) {
      case 0: /* cut */
        size = (u32)below((u64)size + 1);
        break;
      case 1: /* grow */
        for (u64 more = below(300); more > 0 && size < LARGEST; more--) bytes[size++] = (u8)next();
        break;
      case 2: /* a field of the header */
      case 3: {
        u32 v = (u32)interesting(size);
        if (size >= 64) memcpy(bytes + 8 + below(13) * 4, &v, 4);
        break;
      }
      case 4: { /* a word anywhere */
        u64 v = interesting(size), width = below(2) ? 8 : 4;
        if (size >= 8) memcpy(bytes + below(size / 4 - 1) * 4, &v, width);
        break;
      }
      case 5: { /* the kind or the operation of an instruction */
        u32 at = 64 + (u32)below(40) * 96 + (u32)below(16);
        if (at < size) bytes[at] = (u8)below(20);
        break;
      }
      default:
        if (size) bytes[below(size)] ^= (u8)(1u << below(8));
    }
    /* The magic and the size are checked first: most cases are to get past them. */
    if (size >= 64 && below(16)) {
      u64 magic = PLAN_MAGIC;
      memcpy(bytes, &magic, 8);
      memcpy(bytes + 8, &size, 4);
    }
  }
  return size;
}

void __asan_on_error(void);

#define MUST(condition) do { if (!(condition)) { fprintf(stderr, "broken promise: %s\n", #condition); __asan_on_error(); abort(); } } while (0)

/* What execute() takes for granted of a plan that was accepted. */
static void check(const struct plan *p, const u8 *bytes, u32 size) {
  const struct header *h = &p->head;
  MUST(h->size == size && h->inner <= h->count);
  MUST((const u8 *)p->code >= bytes && (const u8 *)(p->code + h->count) <= bytes + size);
  MUST(p->data >= bytes && p->data + h->data_size <= bytes + size);
  for (u32 i = 0; i < h->count; i++) {
    const struct instruction *in = &p->code[i];
    MUST(in->op < OP_COUNT && in->reg <= REGISTERS && in->cond < COND_KINDS);
    MUST(in->cond == COND_NONE || in->cond_index < h->count);
    for (int a = 0; a < 6; a++) {
      if (in->kind[a] == ARG_RESULT) MUST(in->arg[a] < h->count);
      if (in->kind[a] == ARG_DATA) MUST(in->arg[a] <= h->data_size);
      if (in->kind[a] == ARG_LOAD32) MUST(in->arg[a] + 4 <= h->data_size);
      if (in->kind[a] == ARG_OUT) MUST(in->arg[a] <= h->out_size);
      if (in->kind[a] == ARG_REG) MUST(in->arg[a] < REGISTERS);
      MUST(in->kind[a] < ARG_KINDS);
    }
    if (in->op == OP_SKIP) MUST((u64)i + in->nr < h->count);
    if (in->op == OP_CLONE) MUST(h->inner < h->count);
    if (in->op == OP_MONITOR) MUST(in->arg[0] % 8 == 0 && in->arg[0] + sizeof(struct monitor) <= h->data_size);
    if (in->op == OP_SPAWN) MUST(in->arg[0] % 8 == 0 && in->arg[0] + sizeof(struct spawn) <= h->data_size);
    if (in->op == OP_PATCH) MUST(in->arg[0] + 4 <= h->data_size);
  }
}

/* On memory of exactly the size of the plan: one byte past it is the sanitizer's. */
static int attempt(const u8 *from, u32 size) {
  u8 *bytes = malloc(size ? size : 1);
  memcpy(bytes, from, size);
  struct plan p = {.base = bytes};
  int verdict = decode(&p, size);
  if (verdict == 0) check(&p, bytes, size);
  else MUST(verdict == -ENOEXEC);
  free(bytes);
  return verdict;
}

static u64 current;

/* Called by AddressSanitizer before it ends the program. */
void __asan_on_error(void) { fprintf(stderr, "again with: fuzz 0 %llu FILES\n", (unsigned long long)current); }

int main(int argc, char **argv) {
  if (argc < 4) { fprintf(stderr, "usage: fuzz SECONDS SEED FILE...\n"); return 2; }
  static u8 seeds[16][LARGEST];
  static u32 sizes[16];
  int count = 0;
  for (int i = 3; i < argc && count < 16; i++) {
    FILE *file = fopen(argv[i], "rb");
    if (!file) { perror(argv[i]); return 2; }
    sizes[count] = (u32)fread(seeds[count], 1, LARGEST, file);
    fclose(file);
    count++;
  }
  u64 first = strtoull(argv[2], 0, 10), cases = 0, accepted = 0;
  for (int i = 0; i < count; i++) MUST(attempt(seeds[i], sizes[i]) == 0); /* what the engine makes is accepted */
  u64 end = now_ns(CLOCK_MONOTONIC_) + (u64)(atof(argv[1]) * 1e9);
  static u8 work[LARGEST + 4096];
  do {
    current = first + cases++;
    state = current * 0x9e3779b97f4a7c15ULL + 1;
    u64 which = below((u64)count);
    memcpy(work, seeds[which], sizes[which]);
    if (attempt(work, mutate(work, sizes[which])) == 0) accepted++;
  } while (now_ns(CLOCK_MONOTONIC_) < end);
  printf("%llu cases, %llu accepted, seed %llu\n", (unsigned long long)cases, (unsigned long long)accepted, (unsigned long long)first);
  return 0;
}

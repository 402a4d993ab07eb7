/* Reading a plan: every offset is checked before anything is done with it. Included by keel.c. */

static int fits(u32 offset, u64 size, u32 total) {
  return offset <= total && size <= total - offset;
}

/* 0 if the plan is well formed, otherwise a negative errno. Turns the data offsets at its relocations into pointers. */
static int decode(struct plan *p, u32 size) {
  struct header *h = &p->head;
  u8 *bytes = p->base;
  if (size < sizeof *h) return -ENOEXEC;
  memcpy(h, bytes, sizeof *h);
  if (h->magic != PLAN_MAGIC || h->size != size || h->inner > h->count) return -ENOEXEC;
  if (h->code % 8 || h->relocs % 4 || h->data % 8 || h->out_size > PLAN_MAX || h->code + (u64)h->count * sizeof(struct instruction) > h->data) return -ENOEXEC;
  if (!fits(h->code, (u64)h->count * sizeof(struct instruction), size)) return -ENOEXEC;
  if (!fits(h->relocs, (u64)h->reloc_count * 4, size) || !fits(h->data, h->data_size, size)) return -ENOEXEC;
  p->data = bytes + h->data;
  p->code = (const struct instruction *)(const void *)(bytes + h->code);
  const u64 bound[ARG_KINDS] = {[ARG_DATA] = h->data_size + 1ull, [ARG_RESULT] = h->count, [ARG_LOAD32] = h->data_size < 4 ? 0 : h->data_size - 3,
                                [ARG_OUT] = h->out_size + 1ull, [ARG_REG] = REGISTERS};
  for (u32 i = 0; i < h->count; i++) {
    const struct instruction *in = &p->code[i];
    if (in->op >= OP_COUNT || in->cond >= COND_KINDS || in->reg > REGISTERS) return -ENOEXEC;
    if (in->cond != COND_NONE && in->cond_index >= h->count) return -ENOEXEC;
    for (int a = 0; a < 6; a++)
      if (in->kind[a] >= ARG_KINDS || (in->kind[a] != ARG_IMM && in->arg[a] >= bound[in->kind[a]])) return -ENOEXEC;
    u64 room = 0; /* what the operation itself touches behind arg[0] in data */
    if (in->op == OP_PATCH)
      room = in->nr == PATCH_U32 ? 4 : in->nr == PATCH_U64 ? 8 : in->nr == PATCH_DECIMAL || in->nr == PATCH_PADDED ? 11 : NONE;
    if (in->op == OP_SPAWN) room = sizeof(u64) * 6;
    if (in->op == OP_MONITOR) room = sizeof(struct monitor);
    if (room && (room > h->data_size || in->arg[0] > h->data_size - room)) return -ENOEXEC;
    if ((in->op == OP_SPAWN || in->op == OP_MONITOR) && in->arg[0] % 8) return -ENOEXEC;
    if (in->op == OP_SKIP && in->nr >= h->count - i) return -ENOEXEC;
    if (in->op == OP_CLONE && h->inner >= h->count) return -ENOEXEC;
  }
  const u32 *relocs = (const u32 *)(const void *)(bytes + h->relocs);
  for (u32 i = 0; i < h->reloc_count; i++) {
    u64 target;
    if (h->data_size < 8 || relocs[i] > h->data_size - 8) return -ENOEXEC;
    memcpy(&target, p->data + relocs[i], 8);
    if (target > h->data_size) return -ENOEXEC;
    target = (u64)(uintptr_t)(p->data + target);
    memcpy(p->data + relocs[i], &target, 8);
  }
  return 0;
}

static u8 *map(u64 size, int flags, int fd) {
  return (u8 *)must(SYS(__NR_mmap, 0, size, PROT_READ_ | PROT_WRITE_, flags, fd, 0));
}

/* Reads one part: 1 if there was one, 0 at end-of-file. Stops on anything malformed. */
static int read_part(struct plan *p) {
  struct header h;
  if (must(read_all(p->from, &h, sizeof h)) == 1) return 0;
  if (h.magic != PLAN_MAGIC || h.size < sizeof h || h.size > PLAN_MAX) stop(NONE, ENOEXEC);
  memcpy(p->base, &h, sizeof h);
  if (read_all(p->from, p->base + sizeof h, h.size - sizeof h) != 0) stop(NONE, ENOEXEC);
  must(decode(p, h.size));
  return 1;
}

static u64 report_size(const struct plan *p) {
  return sizeof(struct report) + (u64)p->head.count * sizeof(struct result) + p->head.out_size;
}

static void place_report(struct plan *p, u8 *at) {
  p->report = (struct report *)(void *)at;
  p->results = (struct result *)(void *)(at + sizeof(struct report));
  p->out = at + report_size(p) - p->head.out_size;
}

/*
 * The report is a file that the engine reads afterwards and all of keel's processes map. When it is a pipe or a socket
 * the plan comes in parts, and each part is answered by its report and what it wrote for the engine. The memory for the
 * largest part is only address space until it is used.
 */
static void load(struct plan *p) {
  p->base = map(PLAN_MAX, MAP_PRIVATE_ | MAP_ANONYMOUS_ | MAP_NORESERVE_, -1);
  if (!read_part(p)) stop(NONE, ENOEXEC);
  u64 size = report_size(p);
  p->streamed = SYS(__NR_ftruncate, p->to, size) < 0;
  place_report(p, p->streamed ? map(3ull * PLAN_MAX, MAP_PRIVATE_ | MAP_ANONYMOUS_ | MAP_NORESERVE_, -1) : map(size, MAP_SHARED_, p->to));
  p->report->failed = NONE;
  p->report->start_ns = now_ns(CLOCK_MONOTONIC_);
  if (p->streamed) return;
  SYS(__NR_close, p->from);
  SYS(__NR_close, p->to);
  SYS(__NR_close_range, p->head.keep, ~0u, 0);
}

/* Answers the part that has run and reads the next one: 0 when there is none. */
static int next_part(struct plan *p) {
  if (!p->streamed) return 0;
  if (write_all(p->to, p->report, sizeof *p->report) < 0 || write_all(p->to, p->out, p->head.out_size) < 0) quit(125);
  if (p->head.flags & PLAN_LAST || !read_part(p)) return 0;
  place_report(p, (u8 *)p->report);
  memset(p->report, 0, report_size(p));
  p->report->failed = NONE;
  return 1;
}

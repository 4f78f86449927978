// Loaded into a process (LD_PRELOAD) whose libraries narrow_cpu.py has copied with every cpuid instruction replaced by ud2, which is as
// long: answers for the CPU without what came after AVX2 (AVX-512, VNNI, AVX10, AMX). Linux on x86-64.
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define BIT(n) (1u << (n))

// The features of leaf 7 by subleaf and register, as Intel's and AMD's manuals number them.
static void narrow(unsigned leaf, unsigned subleaf, unsigned r[4]) {
  enum { eax, ebx, ecx, edx };
  if (leaf == 7 && subleaf == 0) {
    r[ebx] &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31));        // AVX-512 F DQ IFMA PF ER CD BW VL
    r[ecx] &= ~(BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14));                                        // VBMI VBMI2 VNNI BITALG VPOPCNTDQ
    r[edx] &= ~(BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25));                     // 4VNNIW 4FMAPS VP2INTERSECT, AMX, FP16
  } else if (leaf == 7 && subleaf == 1) {
    r[eax] &= ~(BIT(4) | BIT(5) | BIT(21) | BIT(23));                                                  // AVX-VNNI, BF16, AMX-FP16, AVX-IFMA
    r[edx] &= ~(BIT(4) | BIT(5) | BIT(8) | BIT(10) | BIT(19));                                         // VNNI-INT8, NE-CONVERT, AMX, VNNI-INT16, AVX10
  } else if (leaf == 0x1d || leaf == 0x1e || leaf == 0x24) {                                           // AMX's tiles, AVX10
    memset(r, 0, 4 * sizeof *r);
  }
}

static void on_illegal(int number, siginfo_t* info, void* context) {
  (void)info;
  greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  const unsigned char* at = (const unsigned char*)registers[REG_RIP];
  if (at[0] != 0x0f || at[1] != 0x0b) {
    signal(number, SIG_DFL);  // another's: comes again, and ends the process
    return;
  }
  unsigned r[4];
  const unsigned leaf = (unsigned)registers[REG_RAX], subleaf = (unsigned)registers[REG_RCX];
  __cpuid_count(leaf, subleaf, r[0], r[1], r[2], r[3]);
  narrow(leaf, subleaf, r);
  registers[REG_RAX] = r[0];
  registers[REG_RBX] = r[1];
  registers[REG_RCX] = r[2];
  registers[REG_RDX] = r[3];
  registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_illegal;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGILL, &action, NULL);
}

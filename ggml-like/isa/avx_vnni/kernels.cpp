// AVX2 with AVX-VNNI (Alder Lake 2021, Sierra Forest, Zen 5): dot products of four bytes in 256-bit registers.
#include "cpu.h"
#include "isa/avx2/vocabulary.h"
#include "isa/avx_vnni/tiles.h"
#include "isa/tables.h"

namespace quern {
namespace {

struct AvxVnni : Avx2Family<AvxVnniTiles> {
#if defined(__AVXVNNI__)
  static I dpbusd(I acc, I a, I b) {
    return pinned(_mm256_dpbusd_avx_epi32(acc, a, b));
  }
  static I dpwssd(I acc, I a, I b) {
    return pinned(_mm256_dpwssd_avx_epi32(acc, a, b));
  }
#else  // the tests run this code as AVX-512VL where a CPU has that instead
  static I dpbusd(I acc, I a, I b) {
    return pinned(_mm256_dpbusd_epi32(acc, a, b));
  }
  static I dpwssd(I acc, I a, I b) {
    return pinned(_mm256_dpwssd_epi32(acc, a, b));
  }
#endif
  static I dot16(I acc, I a, I b) {
    return dpwssd(acc, a, b);
  }

  using Act8 = uint8_t;
  static A8 broadcast8(const uint8_t* p) {
    return _mm256_castps_si256(_mm256_broadcast_ss(reinterpret_cast<const float*>(p)));
  }
  static W8 load_w8(const int8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Acc8 dot8(Acc8 acc, A8 a, W8 w) {
    return dpbusd(acc, a, w);
  }
  static I sums8(const Acc8* acc) {
    return *acc;
  }

  static Acc4 dot4(Acc4 acc, W4 w, A4 a) {
    return dpbusd(acc, w, a);
  }
  static I sums4(Acc4 acc) {
    return acc;
  }
  static constexpr bool wide4 = true;

  using ActS = int8_t;
  using AS = __m256i;
  using WS = __m256i;
  using AccS = __m256i;
  static constexpr int lift_s = 128;  // makes the weights the unsigned side
  static WS signed_codes(W4 x) {
    return _mm256_xor_si256(x, _mm256_set1_epi8(-128));
  }
  static AS broadcast_s(const int8_t* p) {
    return broadcast4(p);
  }
  static AccS zero_s() {
    return _mm256_setzero_si256();
  }
  static AccS dot_s(AccS acc, WS w, AS a) {
    return dpbusd(acc, w, a);
  }
  static I sums_s(AccS acc) {
    return acc;
  }

  static L8 limit_dot(L8 acc, L8 a, L8 b) {  // opaque to the compiler, which would see the zeros
    acc = dpbusd(acc, a, b);
    __asm__ volatile("" : "+x"(acc));
    return acc;
  }
};

}  // namespace

#if defined(__AVXVNNI__)
constinit const KernelTable avx_vnni_kernels = make_kernel_table<AvxVnni>("avx_vnni", cpu_has_avx_vnni, QuantList{});
#else
extern const KernelTable avx_vnni_as_avx512_kernels;
constinit const KernelTable avx_vnni_as_avx512_kernels =
    make_kernel_table<AvxVnni>("avx_vnni as AVX-512VL", cpu_has_avx512_vnni, QuantList{});
#endif

}  // namespace quern

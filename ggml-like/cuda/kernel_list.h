// The kernels' numbers, which operators and runtimes share. A new one: its struct in arguments.h, its function in a
// kernels_*.h, its name here.
#pragma once
#include "cuda/arguments.h"

namespace quern {
namespace cuda {

template <class... K>
struct KernelNames {
  static constexpr int size = static_cast<int>(sizeof...(K));
  template <class Wanted>
  static constexpr int index() {
    const bool is[] = {same<Wanted, K>()...};
    int at = 0;
    while (at < size && !is[at]) ++at;
    return at;
  }

 private:
  template <class A, class B>
  struct Same {
    static constexpr bool value = false;
  };
  template <class A>
  struct Same<A, A> {
    static constexpr bool value = true;
  };
  template <class A, class B>
  static constexpr bool same() {
    return Same<A, B>::value;
  }
};

// By the file that instantiates them (instances_*.cu).
using RowKernelNames = KernelNames<CopyRows, GatherRows, ScaleRows, AddRows, CapRows, GateRows, LookUpRows,
                                   TransposeRows, LayerNormRows, RmsNormRows, NormalizeRows, PoolTexts, RotateRows>;
using Q8KernelNames = KernelNames<EncodeRows, LayPanels, Q8Wide, Q8WideGroups, Q8Small, Q8SmallGroups>;
using FloatKernelNames =
    KernelNames<FloatProduct<TableValues::f32>, FloatProduct<TableValues::f16>, FloatProduct<TableValues::bf16>,
                AttendF32<32>, AttendF32<64>, AttendF32<128>, AttendF32<256>>;
using SplitKernelNames =
    KernelNames<FindPeaks, SplitValues, AttendI16<1>, AttendI16<2>, AttendI16<3>, AttendI16<4>, AttendI16<8>>;

template <class... A, class... B>
KernelNames<A..., B...> joined(KernelNames<A...>, KernelNames<B...>);
template <class A, class B>
using Joined = decltype(joined(A{}, B{}));
using AllKernelNames = Joined<Joined<RowKernelNames, Q8KernelNames>, Joined<FloatKernelNames, SplitKernelNames>>;

template <class K>
constexpr int number_of() {
  static_assert(AllKernelNames::index<K>() < AllKernelNames::size, "not in the list");
  return AllKernelNames::index<K>();
}

}  // namespace cuda
}  // namespace quern

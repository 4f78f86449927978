#include "quants/f16/f16.h"

#include "quants/half_rows.h"

namespace quern {

constinit const TypeInfo F16::info = half_type_info<F16>("f16", half_decode<f16_to_f32>, half_encode<f32_to_f16>);

}  // namespace quern

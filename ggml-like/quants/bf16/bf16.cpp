#include "quants/bf16/bf16.h"

#include "quants/half_rows.h"

namespace quern {

constinit const TypeInfo BF16::info = half_type_info<BF16>("bf16", half_decode<bf16_to_f32>, half_encode<f32_to_bf16>);

}  // namespace quern

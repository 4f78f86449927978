// All kernels, and what a runtime needs of them: a table by number.
#pragma once
#include "cuda/kernels_attention_f32.h"
#include "cuda/kernels_attention_i16.h"
#include "cuda/kernels_floats.h"
#include "cuda/kernels_q8.h"
#include "cuda/kernels_rows.h"
#include "cuda/kernels_split.h"

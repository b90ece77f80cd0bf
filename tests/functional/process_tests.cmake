# hm_process_test(functional_mirror FILE mirror_test.py LABELS functional [ARGS names of classes…] [TIMEOUT seconds])
set(HM_PROCESS_TEST_ENVIRONMENT HUBMIRROR_BIN=$<TARGET_FILE:hubmirror> PYTHONDONTWRITEBYTECODE=1)
if("${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_DEBUG}" MATCHES "-fsanitize=(address|thread)")
  # Instrumented, the program is several times slower: fewer rounds, no figures.
  list(APPEND HM_PROCESS_TEST_ENVIRONMENT HUBMIRROR_TEST_SANITIZER=1 HUBMIRROR_TEST_SCALE=0.1)
endif()
function(hm_process_test name)
  cmake_parse_arguments(ARG "" "FILE;TIMEOUT" "LABELS;ARGS" ${ARGN})
  add_test(NAME ${name} COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_FILE} ${ARG_ARGS})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 1800)  # only a hang is ended by it
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" ENVIRONMENT "${HM_PROCESS_TEST_ENVIRONMENT}" TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()

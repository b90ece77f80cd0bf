# One INTERFACE target carries the flags; one function declares a layer.
add_library(hm_flags INTERFACE)
target_compile_options(hm_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers)
# With -Og and sanitizers g++ 12 sees uninitialised members in the standard library's own constructors.
target_compile_options(hm_flags INTERFACE $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Debug>>:-Wno-maybe-uninitialized>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 takes Asio's operator delete of a coroutine frame for another one than its operator new, depending on what it inlines.
  target_compile_options(hm_flags INTERFACE -Wno-mismatched-new-delete)
endif()
if(HM_WERROR)
  target_compile_options(hm_flags INTERFACE -Werror)
endif()
target_compile_definitions(hm_flags INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  $<$<BOOL:${HM_CRASH_POINTS}>:HM_CRASH_POINTS>)
target_include_directories(hm_flags INTERFACE ${PROJECT_SOURCE_DIR})
add_library(hm::flags ALIAS hm_flags)

# g++ 12 and Asio: coroutines in a PCH-less build spend most of their time in headers; two compile jobs per 4 GB is the rule.
find_program(HM_CCACHE ccache)
if(HM_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HM_CCACHE})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  find_program(HM_LLD ld.lld)
  if(HM_LLD)
    add_link_options(-fuse-ld=lld)
  endif()
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()

# Under HM_UNITY eight sources of the target are compiled at once.
function(hm_unity target)
  if(HM_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)  # a lambda's type in a coroutine: no other file sees it
  endif()
endfunction()

# hm_layer(storage SOURCES a.cpp … HEADERS a.hpp … ALONE a.cpp … PUBLIC targets… PRIVATE targets…)
# ALONE: sources that are compiled by themselves under HM_UNITY too, because what they keep to themselves has names that others use.
# all_verify_interface_header_sets compiles alone each header that no source of its name begins with (a rule of the tidy test): the others
# are compiled alone with their sources.
function(hm_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;ALONE;PUBLIC;PRIVATE" ${ARGN})
  add_library(hm_${name} STATIC)
  add_library(hm::${name} ALIAS hm_${name})
  set(of_sources ${ARG_SOURCES})
  list(TRANSFORM of_sources REPLACE "[.]cpp$" ".hpp")
  set(by_themselves ${ARG_HEADERS})
  list(REMOVE_ITEM by_themselves ${of_sources})
  set(with_sources ${ARG_HEADERS})
  list(REMOVE_ITEM with_sources ${by_themselves})
  target_sources(hm_${name} PRIVATE ${ARG_SOURCES}
    PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${by_themselves}
    PUBLIC FILE_SET with_sources TYPE HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${with_sources})
  set_target_properties(hm_${name} PROPERTIES INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)
  target_link_libraries(hm_${name} PUBLIC hm::flags ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  set_source_files_properties(${ARG_ALONE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  hm_unity(hm_${name})
endfunction()

# hm_test_program(name SOURCES … LIBS …): a program of tests, without an entry for ctest.
function(hm_test_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE hm::flags hm_test_main ${ARG_LIBS} GTest::gmock)
  add_dependencies(cpp_tests ${name})
endfunction()

# hm_test_entry(name program [THREADS] [argument…]): what ctest runs of it.
# The label is the folder below tests/ (ctest -L unit). THREADS: it has threads, and is run under ThreadSanitizer (ctest -L threads).
function(hm_test_entry name program)
  cmake_parse_arguments(ARG "THREADS" "" "" ${ARGN})
  add_test(NAME ${name} COMMAND ${program} ${ARG_UNPARSED_ARGUMENTS})
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY ${PROJECT_SOURCE_DIR}/tests OUTPUT_VARIABLE label)
  string(REGEX REPLACE "/.*" "" label ${label})
  if(ARG_THREADS)
    list(APPEND label threads)
    add_dependencies(threaded_tests ${program})
  endif()
  # Only a hang is ended by it, after the program's own hang guard told where it is.
  set_tests_properties(${name} PROPERTIES LABELS "${label}" TIMEOUT 900)
endfunction()

# hm_test(hub_golden_test SOURCES wire_golden_test.cpp render.cpp LIBS hm::hub [THREADS]): a program that is one entry.
function(hm_test name)
  cmake_parse_arguments(ARG "THREADS" "" "SOURCES;LIBS" ${ARGN})
  hm_test_program(${name} SOURCES ${ARG_SOURCES} LIBS ${ARG_LIBS})
  set(threads)
  if(ARG_THREADS)
    set(threads THREADS)
  endif()
  hm_test_entry(${name} ${name} ${threads})
endfunction()

# hm_tests(storage SOURCES rows_test.cpp … THREADS index_test.cpp … WITH fixture.cpp … LIBS hm::storage)
# One program for a folder, storage_tests, and an entry for each of its sources: storage_rows_test is storage_tests --of=rows_test.cpp.
# WITH: sources that are no tests.
function(hm_tests folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;THREADS;WITH;LIBS" ${ARGN})
  hm_test_program(${folder}_tests SOURCES ${ARG_SOURCES} ${ARG_THREADS} ${ARG_WITH} LIBS ${ARG_LIBS})
  hm_unity(${folder}_tests)
  foreach(source IN LISTS ARG_SOURCES ARG_THREADS)
    set(threads)
    if(source IN_LIST ARG_THREADS)
      set(threads THREADS)
    endif()
    string(REGEX REPLACE "[.]cpp$" "" name ${source})
    string(REPLACE "/" "_" name ${name})
    hm_test_entry(${folder}_${name} ${folder}_tests ${threads} --of=${source})
  endforeach()
endfunction()

# bash completion for uvirtio
_uvirtio_locators="emulated:rng emulated:blk emulated:net emulated:console emulated:balloon emulated:input qemu:balloon qemu:blk qemu:console qemu:input qemu:net qemu:rng"

_uvirtio_functions() {
    local path
    for path in /sys/bus/pci/devices/*; do
        [ "$(cat "$path/vendor" 2>/dev/null)" = 0x1af4 ] && basename "$path"
    done
}

_uvirtio_words() {
    COMPREPLY+=($(compgen -W "$1" -- "$cur"))
}

_uvirtio_files() {
    local IFS=$'\n'
    compopt -o filenames
    COMPREPLY+=($(compgen -f -- "$cur"))
}

_uvirtio() {
    # bash splits words at the colons of locators and at =, so the line is looked at instead.
    local line="${COMP_LINE:0:COMP_POINT}" typed cur prev command word
    COMPREPLY=()
    read -ra typed <<<"$line"
    [[ $line == *[[:space:]] ]] && typed+=("")
    cur="${typed[-1]}" prev="${typed[-2]}"
    if [[ $cur == --*=* ]]; then
        prev="${cur%%=*}" cur="${cur#*=}"
    fi
    for word in "${typed[@]:1:${#typed[@]}-2}"; do
        case "$word" in
            list|show|dump|diff|watch|tui|bind|restore|suspend|check|survive|explain|judge|report|serve|image|boot|bench|doctor|completion) command="$word"; break ;;
        esac
    done
    case "$command:$prev" in
        :*) _uvirtio_words "list show dump diff watch tui bind restore suspend check survive explain judge report serve image boot bench doctor completion --help --version" ;;
        list:--from) _uvirtio_files ;;
        show:--from) _uvirtio_files ;;
        dump:-o|dump:--output) _uvirtio_files ;;
        dump:--from) _uvirtio_files ;;
        diff:--device) _uvirtio_words "$(_uvirtio_functions) $_uvirtio_locators" ;;
        watch:--interval) : ;;
        watch:--count) : ;;
        watch:--from) _uvirtio_files ;;
        tui:--from) _uvirtio_files ;;
        tui:--interrupts) _uvirtio_words "auto intx msix none" ;;
        bind:--via) _uvirtio_words "uio vfio" ;;
        suspend:--via) _uvirtio_words "uio vfio" ;;
        suspend:--trace) _uvirtio_files ;;
        suspend:--without) _uvirtio_words "NOTIFY_ON_EMPTY ANY_LAYOUT INDIRECT_DESC EVENT_IDX UNUSED VERSION_1 ACCESS_PLATFORM RING_PACKED IN_ORDER ORDER_PLATFORM SR_IOV NOTIFICATION_DATA NOTIF_CONFIG_DATA RING_RESET ADMIN_VQ SUSPEND" ;;
        suspend:--dialect) _uvirtio_words "auto 1.4 chromium rfc" ;;
        suspend:--timeout) : ;;
        suspend:--hold) : ;;
        suspend:--cycles) : ;;
        suspend:--workload) _uvirtio_words "auto none" ;;
        suspend:--interrupts) _uvirtio_words "auto intx msix none" ;;
        suspend:--scratch) : ;;
        suspend:--peer) _uvirtio_words "echo none" ;;
        suspend:--pairs) : ;;
        suspend:--history) _uvirtio_files ;;
        check:--via) _uvirtio_words "uio vfio" ;;
        check:--trace) _uvirtio_files ;;
        check:--without) _uvirtio_words "NOTIFY_ON_EMPTY ANY_LAYOUT INDIRECT_DESC EVENT_IDX UNUSED VERSION_1 ACCESS_PLATFORM RING_PACKED IN_ORDER ORDER_PLATFORM SR_IOV NOTIFICATION_DATA NOTIF_CONFIG_DATA RING_RESET ADMIN_VQ SUSPEND" ;;
        check:--dialect) _uvirtio_words "auto 1.4 chromium rfc" ;;
        check:--timeout) : ;;
        check:--hold) : ;;
        check:--only) _uvirtio_words "D1 D2 D3 D4 D5 D6 D7 V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15 V16 R1 R2 R3 R4 R5 R6 R7 C1 C2 C3 I1 I2 I3 I4 I5 I6 I7 I8 S1 S2 S3 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 N1 N2 N3 N4 N5 N6 N7 P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P20 P21 P22 P23 RNG1 BLK1 BLK2 BLK3 BLK4 BLK5 BLK6 BLK7 BLK8 BLK9 BLK10 NET1 NET2 NET3 NET4 NET5 NET6 NET7 NET8 NET9 NET10 NET11 NET12 NET13 NET14 CON1 CON2 INP1 U1 U2 U3 U4 U5 U6 U7 U8 U9 U10 U11 U12 U13 U14 U15 U16 U17" ;;
        check:--skip) _uvirtio_words "D1 D2 D3 D4 D5 D6 D7 V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15 V16 R1 R2 R3 R4 R5 R6 R7 C1 C2 C3 I1 I2 I3 I4 I5 I6 I7 I8 S1 S2 S3 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 N1 N2 N3 N4 N5 N6 N7 P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P20 P21 P22 P23 RNG1 BLK1 BLK2 BLK3 BLK4 BLK5 BLK6 BLK7 BLK8 BLK9 BLK10 NET1 NET2 NET3 NET4 NET5 NET6 NET7 NET8 NET9 NET10 NET11 NET12 NET13 NET14 CON1 CON2 INP1 U1 U2 U3 U4 U5 U6 U7 U8 U9 U10 U11 U12 U13 U14 U15 U16 U17" ;;
        check:--cycles) : ;;
        check:--seed) : ;;
        check:--budget) : ;;
        check:--jobs) : ;;
        check:--trigger-command) : ;;
        check:--interrupts) _uvirtio_words "auto intx msix none" ;;
        check:--scratch) : ;;
        check:--peer) _uvirtio_words "echo none" ;;
        check:--pairs) : ;;
        check:--history) _uvirtio_files ;;
        check:--format) _uvirtio_words "rich json junit tap markdown html" ;;
        check:--output|check:-o) _uvirtio_files ;;
        check:--baseline) _uvirtio_files ;;
        check:--expect) _uvirtio_files ;;
        survive:--via) _uvirtio_words "uio vfio" ;;
        survive:--trace) _uvirtio_files ;;
        survive:--without) _uvirtio_words "NOTIFY_ON_EMPTY ANY_LAYOUT INDIRECT_DESC EVENT_IDX UNUSED VERSION_1 ACCESS_PLATFORM RING_PACKED IN_ORDER ORDER_PLATFORM SR_IOV NOTIFICATION_DATA NOTIF_CONFIG_DATA RING_RESET ADMIN_VQ SUSPEND" ;;
        survive:--for) : ;;
        survive:--events) : ;;
        survive:--event) : ;;
        survive:--seed) : ;;
        survive:--picture) _uvirtio_files ;;
        survive:--dialect) _uvirtio_words "auto 1.4 chromium rfc" ;;
        survive:--timeout) : ;;
        survive:--hold) : ;;
        survive:--interrupts) _uvirtio_words "auto intx msix none" ;;
        survive:--scratch) : ;;
        survive:--peer) _uvirtio_words "echo none" ;;
        survive:--pairs) : ;;
        survive:--history) _uvirtio_files ;;
        judge:--only) _uvirtio_words "D1 D2 D3 D4 D5 D6 D7 V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15 V16 R1 R2 R3 R4 R5 R6 R7 C1 C2 C3 I1 I2 I3 I4 I5 I6 I7 I8 S1 S2 S3 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 N1 N2 N3 N4 N5 N6 N7 P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P20 P21 P22 P23 RNG1 BLK1 BLK2 BLK3 BLK4 BLK5 BLK6 BLK7 BLK8 BLK9 BLK10 NET1 NET2 NET3 NET4 NET5 NET6 NET7 NET8 NET9 NET10 NET11 NET12 NET13 NET14 CON1 CON2 INP1 U1 U2 U3 U4 U5 U6 U7 U8 U9 U10 U11 U12 U13 U14 U15 U16 U17" ;;
        judge:--skip) _uvirtio_words "D1 D2 D3 D4 D5 D6 D7 V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15 V16 R1 R2 R3 R4 R5 R6 R7 C1 C2 C3 I1 I2 I3 I4 I5 I6 I7 I8 S1 S2 S3 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 N1 N2 N3 N4 N5 N6 N7 P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P20 P21 P22 P23 RNG1 BLK1 BLK2 BLK3 BLK4 BLK5 BLK6 BLK7 BLK8 BLK9 BLK10 NET1 NET2 NET3 NET4 NET5 NET6 NET7 NET8 NET9 NET10 NET11 NET12 NET13 NET14 CON1 CON2 INP1 U1 U2 U3 U4 U5 U6 U7 U8 U9 U10 U11 U12 U13 U14 U15 U16 U17" ;;
        judge:--format) _uvirtio_words "rich json junit tap markdown html" ;;
        judge:--output|judge:-o) _uvirtio_files ;;
        report:--format) _uvirtio_words "rich json junit tap markdown html" ;;
        report:--output|report:-o) _uvirtio_files ;;
        report:--baseline) _uvirtio_files ;;
        report:--expect) _uvirtio_files ;;
        serve:--socket) _uvirtio_files ;;
        serve:--profile) _uvirtio_words "virtio-1.4 rfc crosvm qemu-store qemu-rfc-2025 qemu-rfc-2025-fixed slow refuses refuses-resume stuck stuck-resume" ;;
        serve:--fault) _uvirtio_words "V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15 V16 R3 R4 R5 R6 R7 C1 C2 C3 V3-waking V7-lost V7-on-the-way V8-config V8-select V9-queue V12-cleared V12-last V13-silent V15-isr V16-queue S3-features S3-size S3-address N5-asleep B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 B6-used Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 Q1-enabled Q7-second N1 N2 N3 N4 N5 N6 N7 N2-packed N7-never P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P17-next P19 P20 P21 P22 P23 P19-moved P19-reset V3-msix V6-msix V7-msix V12-msix V14-msix C3-msix N1-msix N2-msix N3-msix RNG1 BLK1 BLK2 BLK3 BLK4 BLK5 BLK6 BLK7 BLK8 BLK10 NET1 NET2 NET3 NET4 NET5 NET6 NET7 NET8 NET9 NET10 NET11 NET12 NET13 NET14 CON1 INP1 U1 U2 U3 U3-replay U4 U5 U5-used U5-reset U6 U7 U8 U8-pending U9 U9-config U10 U11 U12 U12-reset U13 U14 U15 U16" ;;
        serve:--latency) : ;;
        serve:--delay) : ;;
        serve:--seed) : ;;
        serve:--set) : ;;
        serve:--control) _uvirtio_files ;;
        serve:--restore) _uvirtio_files ;;
        serve:--save) _uvirtio_files ;;
        serve:--log) _uvirtio_files ;;
        image:--arch) : ;;
        image:--flavour) _uvirtio_words "cloud generic" ;;
        image:--suite) : ;;
        image:--output|image:-o) : ;;
        boot:--vmm) _uvirtio_words "qemu qemu-pc qemu-q35 qemu-microvm qemu-virt cloud-hypervisor firecracker crosvm openvmm bhyve" ;;
        boot:--command) : ;;
        boot:--binary) _uvirtio_files ;;
        boot:--arch) : ;;
        boot:--image) : ;;
        boot:--kernel) _uvirtio_files ;;
        boot:--initrd) _uvirtio_files ;;
        boot:--run) : ;;
        boot:--jobs) : ;;
        boot:--timeout) : ;;
        boot:--ready) : ;;
        boot:--memory) : ;;
        boot:--cpus) : ;;
        boot:--accel) _uvirtio_words "auto kvm tcg" ;;
        boot:--append) : ;;
        boot:--config) _uvirtio_files ;;
        boot:--event) : ;;
        boot:--keep) : ;;
        boot:--format) _uvirtio_words "rich json junit tap markdown html" ;;
        boot:--output|boot:-o) _uvirtio_files ;;
        bench:--via) _uvirtio_words "uio vfio" ;;
        bench:--without) _uvirtio_words "NOTIFY_ON_EMPTY ANY_LAYOUT INDIRECT_DESC EVENT_IDX UNUSED VERSION_1 ACCESS_PLATFORM RING_PACKED IN_ORDER ORDER_PLATFORM SR_IOV NOTIFICATION_DATA NOTIF_CONFIG_DATA RING_RESET ADMIN_VQ SUSPEND" ;;
        bench:--interrupts) _uvirtio_words "auto intx msix none" ;;
        bench:--seconds) : ;;
        bench:--turns) : ;;
        bench:--buffers) : ;;
        bench:--baseline) _uvirtio_files ;;
        *) _uvirtio_arguments "$command:$cur" ;;
    esac
    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
        # What stands before the last colon is a word of its own for bash, and stays as it is.
        COMPREPLY=("${COMPREPLY[@]#"${cur%:*}:"}")
    fi
}

_uvirtio_arguments() {
    case "$1" in
        list:-*) _uvirtio_words "-v --verbose --from --json --help" ;;
        list:*) : ;;
        show:-*) _uvirtio_words "-v --verbose --intrusive --from --json --help" ;;
        show:*) _uvirtio_words "$(_uvirtio_functions) $_uvirtio_locators" ;;
        dump:-*) _uvirtio_words "-o --output --all --intrusive --from --json --help" ;;
        dump:*) _uvirtio_words "$(_uvirtio_functions) $_uvirtio_locators" ;;
        diff:-*) _uvirtio_words "--device --json --help" ;;
        diff:*) _uvirtio_files ;;
        watch:-*) _uvirtio_words "--interval --count --from --json --help" ;;
        watch:*) _uvirtio_words "$(_uvirtio_functions) $_uvirtio_locators" ;;
        tui:-*) _uvirtio_words "--from --interrupts --json --help" ;;
        tui:*) _uvirtio_words "$(_uvirtio_functions) $_uvirtio_locators" ;;
        bind:-*) _uvirtio_words "--force --via --dry-run --persist --json --help" ;;
        bind:*) _uvirtio_words "$(_uvirtio_functions)" ;;
        restore:-*) _uvirtio_words "--all --json --help" ;;
        restore:*) _uvirtio_words "$(_uvirtio_functions)" ;;
        suspend:-*) _uvirtio_words "--force --via --trace --without --dialect --timeout --hold --cycles --workload --interrupts --scratch --peer --pairs --history -q --quiet -v --verbose --json --help" ;;
        suspend:*) _uvirtio_words "$(_uvirtio_functions) $_uvirtio_locators" ;;
        check:-*) _uvirtio_words "--force --via --trace --without --dialect --timeout --hold --only --skip --strict --list --cycles --seed --budget --jobs --timing --require-suspend --trigger-command --interrupts --scratch --peer --pairs --provoke --history --format --output -o -q --quiet -v --verbose --baseline --expect --json --help" ;;
        check:*) _uvirtio_words "$(_uvirtio_functions) $_uvirtio_locators" ;;
        survive:-*) _uvirtio_words "--force --via --trace --without --for --events --event --seed --suspend --picture --dialect --timeout --hold --interrupts --scratch --peer --pairs --history --json --help" ;;
        survive:*) _uvirtio_words "$(_uvirtio_functions) $_uvirtio_locators" ;;
        explain:-*) _uvirtio_words "--json --help" ;;
        explain:*) : ;;
        judge:-*) _uvirtio_words "--only --skip --strict --format --output -o -q --quiet -v --verbose --json --help" ;;
        judge:*) : ;;
        report:-*) _uvirtio_words "--format --output -o -q --quiet -v --verbose --baseline --expect --json --help" ;;
        report:*) _uvirtio_files ;;
        serve:-*) _uvirtio_words "--socket --profile --fault --latency --delay --seed --set --control --restore --save --log --once --help" ;;
        serve:*) _uvirtio_words "rng blk net console balloon input scsi gpu rtc vsock crypto iommu mem sound fs pmem rpmb scmi i2c_adapter can gpio spi media" ;;
        image:-*) _uvirtio_words "--arch --flavour --suite --no-tui --output -o --json --help" ;;
        image:*) _uvirtio_words "build show" ;;
        boot:-*) _uvirtio_words "--vmm --command --binary --arch --image --kernel --initrd --run --jobs --timeout --ready --memory --cpus --accel --append --config --event --keep --format --output -o -q --quiet -v --verbose --json --help" ;;
        boot:*) : ;;
        bench:-*) _uvirtio_words "--force --via --without --interrupts --seconds --turns --buffers --judge --baseline --json --help" ;;
        bench:*) _uvirtio_words "ring queue poll net blk rng suspend interrupts"; _uvirtio_words "$(_uvirtio_functions) $_uvirtio_locators" ;;
        doctor:-*) _uvirtio_words "--json --help" ;;
        doctor:*) : ;;
        completion:-*) _uvirtio_words "--help" ;;
        completion:*) _uvirtio_words "bash zsh fish" ;;
    esac
}

complete -F _uvirtio uvirtio

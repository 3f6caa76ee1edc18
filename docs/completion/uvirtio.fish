# fish completion for uvirtio
function __uvirtio_functions
    for directory in /sys/bus/pci/devices/*
        test (cat $directory/vendor) = 0x1af4; and basename $directory
    end
end
function __uvirtio_locators
    printf '%s\n' emulated:rng emulated:blk emulated:net emulated:console emulated:balloon emulated:input qemu:balloon qemu:blk qemu:console qemu:input qemu:net qemu:rng
end
complete -c uvirtio -f
complete -c uvirtio -n __fish_use_subcommand -a list -d 'every virtio PCI function of this machine'
complete -c uvirtio -n __fish_use_subcommand -a show -d 'everything that one device says'
complete -c uvirtio -n __fish_use_subcommand -a dump -d 'a snapshot of a device, for a bug report'
complete -c uvirtio -n __fish_use_subcommand -a diff -d 'what changed between two snapshots'
complete -c uvirtio -n __fish_use_subcommand -a watch -d 'a device, live'
complete -c uvirtio -n __fish_use_subcommand -a tui -d 'inspect and drive devices interactively'
complete -c uvirtio -n __fish_use_subcommand -a bind -d 'take devices for uio_pci_generic or vfio-pci'
complete -c uvirtio -n __fish_use_subcommand -a restore -d 'give devices back to their drivers'
complete -c uvirtio -n __fish_use_subcommand -a suspend -d 'suspend and resume a device under load, and prove that nothing was lost'
complete -c uvirtio -n __fish_use_subcommand -a check -d 'the conformance checks: a verdict per statement'
complete -c uvirtio -n __fish_use_subcommand -a survive -d 'devices under load while the machine is paused, saved or moved: what do they lose'
complete -c uvirtio -n __fish_use_subcommand -a explain -d 'what a statement demands, how it is judged, and what breaks it'
complete -c uvirtio -n __fish_use_subcommand -a judge -d 'judge what check or suspend has recorded, without the device'
complete -c uvirtio -n __fish_use_subcommand -a report -d 'render results again, compare several'
complete -c uvirtio -n __fish_use_subcommand -a serve -d 'an emulated device for QEMU, over vfio-user'
complete -c uvirtio -n __fish_use_subcommand -a image -d 'a guest with uvirtio in it that boots from memory, for any VMM'
complete -c uvirtio -n __fish_use_subcommand -a boot -d 'start a VM with such a guest, and give its verdicts'
complete -c uvirtio -n __fish_use_subcommand -a bench -d 'measured speed'
complete -c uvirtio -n __fish_use_subcommand -a doctor -d 'is this machine ready, and if not, what to type'
complete -c uvirtio -n __fish_use_subcommand -a completion -d 'the completions of a shell, to be sourced'
complete -c uvirtio -n '__fish_seen_subcommand_from list' -s v -l verbose -d 'all columns, whatever the width of the terminal'
complete -c uvirtio -n '__fish_seen_subcommand_from list' -l from -d 'read this snapshot (of `uvirtio dump`) instead of a device' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from list' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from show' -s v -l verbose -d 'raw bytes too; twice: configuration space'
complete -c uvirtio -n '__fish_seen_subcommand_from show' -l intrusive -d 'read a device that a kernel driver holds through its PCI_CFG window; this writes selectors under the driver'
complete -c uvirtio -n '__fish_seen_subcommand_from show' -l from -d 'read this snapshot (of `uvirtio dump`) instead of a device' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from show' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from show' -a '(__uvirtio_functions) (__uvirtio_locators)'
complete -c uvirtio -n '__fish_seen_subcommand_from dump' -s o -l output -d 'where to write (default: stdout)' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from dump' -l all -d 'every virtio function of this machine'
complete -c uvirtio -n '__fish_seen_subcommand_from dump' -l intrusive -d 'read a device that a kernel driver holds through its PCI_CFG window; this writes selectors under the driver'
complete -c uvirtio -n '__fish_seen_subcommand_from dump' -l from -d 'read this snapshot (of `uvirtio dump`) instead of a device' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from dump' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from dump' -a '(__uvirtio_functions) (__uvirtio_locators)'
complete -c uvirtio -n '__fish_seen_subcommand_from diff' -l device -d 'compare only this device of both' -xa '(__uvirtio_functions) (__uvirtio_locators)'
complete -c uvirtio -n '__fish_seen_subcommand_from diff' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from diff' -F
complete -c uvirtio -n '__fish_seen_subcommand_from diff' -F
complete -c uvirtio -n '__fish_seen_subcommand_from watch' -l interval -d 'time between looks (default: 1)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from watch' -l count -d 'look N times, tell what changed, and end' -x
complete -c uvirtio -n '__fish_seen_subcommand_from watch' -l from -d 'read this snapshot (of `uvirtio dump`) instead of a device' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from watch' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from watch' -a '(__uvirtio_functions) (__uvirtio_locators)'
complete -c uvirtio -n '__fish_seen_subcommand_from tui' -l from -d 'read this snapshot (of `uvirtio dump`) instead of a device' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from tui' -l interrupts -d 'how the device notifies: intx (with ISR), msix (messages), none (ISR is polled); auto judges by each way that the device has, and for anything else takes intx, or msix where there is none (default: auto)' -xa 'auto intx msix none'
complete -c uvirtio -n '__fish_seen_subcommand_from tui' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from tui' -a '(__uvirtio_functions) (__uvirtio_locators)'
complete -c uvirtio -n '__fish_seen_subcommand_from bind' -l force -d 'take a device although something uses it'
complete -c uvirtio -n '__fish_seen_subcommand_from bind' -l via -d 'the driver for a device that is named by its address: uio_pci_generic, or vfio-pci, which needs an IOMMU; vfio:00:05.0 says the same (default: uio)' -xa 'uio vfio'
complete -c uvirtio -n '__fish_seen_subcommand_from bind' -l dry-run -d 'print the sysfs writes instead of doing them'
complete -c uvirtio -n '__fish_seen_subcommand_from bind' -l persist -d 'take the device at every boot, too (a udev rule)'
complete -c uvirtio -n '__fish_seen_subcommand_from bind' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from bind' -a '(__uvirtio_functions)'
complete -c uvirtio -n '__fish_seen_subcommand_from restore' -l all -d 'every device that uvirtio took and that is not back yet'
complete -c uvirtio -n '__fish_seen_subcommand_from restore' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from restore' -a '(__uvirtio_functions)'
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l force -d 'take a device although something uses it'
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l via -d 'the driver for a device that is named by its address: uio_pci_generic, or vfio-pci, which needs an IOMMU; vfio:00:05.0 says the same (default: uio)' -xa 'uio vfio'
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l trace -d 'write every register access as one JSON line to FILE (- is stderr)' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l without -d 'do not negotiate this feature: a bit number or a name such as RING_PACKED (repeatable)' -xa 'NOTIFY_ON_EMPTY ANY_LAYOUT INDIRECT_DESC EVENT_IDX UNUSED VERSION_1 ACCESS_PLATFORM RING_PACKED IN_ORDER ORDER_PLATFORM SR_IOV NOTIFICATION_DATA NOTIF_CONFIG_DATA RING_RESET ADMIN_VQ SUSPEND'
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l dialect -d 'which SUSPEND to use; auto goes by what the device offers and never picks rfc (default: auto)' -xa 'auto 1.4 chromium rfc'
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l timeout -d 'longest time that the device may take for one step (default: 10)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l hold -d 'how long the device stays suspended (default: 0.2)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l cycles -d 'how often (default: 1)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l workload -d 'traffic during the cycles: the device type\'s own, or none, which judges the status alone (default: auto)' -xa 'auto none'
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l interrupts -d 'how the device notifies: intx (with ISR), msix (messages), none (ISR is polled); auto judges by each way that the device has, and for anything else takes intx, or msix where there is none (default: auto)' -xa 'auto intx msix none'
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l scratch -d 'sectors (of 512 bytes) of a block device that may be overwritten (default: on somebody\'s disk nothing is written)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l peer -d 'what is at the other end of a network or console device: echo sends everything back (default: what the locator says)' -xa 'echo none'
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l pairs -d 'how many queue pairs of a network device carry the traffic (default: all that the device has, up to 4)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l history -d 'write all that was done and seen to FILE, which `uvirtio judge` judges again without the device' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -s q -l quiet -d 'say the verdict only, and show no progress'
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -s v -l verbose -d 'say everything: each statement\'s remarks, each cycle'
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from suspend' -a '(__uvirtio_functions) (__uvirtio_locators)'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l force -d 'take a device although something uses it'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l via -d 'the driver for a device that is named by its address: uio_pci_generic, or vfio-pci, which needs an IOMMU; vfio:00:05.0 says the same (default: uio)' -xa 'uio vfio'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l trace -d 'write every register access as one JSON line to FILE (- is stderr)' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l without -d 'do not negotiate this feature: a bit number or a name such as RING_PACKED (repeatable)' -xa 'NOTIFY_ON_EMPTY ANY_LAYOUT INDIRECT_DESC EVENT_IDX UNUSED VERSION_1 ACCESS_PLATFORM RING_PACKED IN_ORDER ORDER_PLATFORM SR_IOV NOTIFICATION_DATA NOTIF_CONFIG_DATA RING_RESET ADMIN_VQ SUSPEND'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l dialect -d 'which SUSPEND to use; auto goes by what the device offers and never picks rfc (default: auto)' -xa 'auto 1.4 chromium rfc'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l timeout -d 'longest time that the device may take for one step (default: 10)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l hold -d 'how long the device stays suspended (default: 0.2)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l only -d 'judge these statements only: V1,V4, a whole family such as V, or a chapter: suspend, pci, blk, core ... (repeatable)' -xa 'D1 D2 D3 D4 D5 D6 D7 V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15 V16 R1 R2 R3 R4 R5 R6 R7 C1 C2 C3 I1 I2 I3 I4 I5 I6 I7 I8 S1 S2 S3 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 N1 N2 N3 N4 N5 N6 N7 P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P20 P21 P22 P23 RNG1 BLK1 BLK2 BLK3 BLK4 BLK5 BLK6 BLK7 BLK8 BLK9 BLK10 NET1 NET2 NET3 NET4 NET5 NET6 NET7 NET8 NET9 NET10 NET11 NET12 NET13 NET14 CON1 CON2 INP1 U1 U2 U3 U4 U5 U6 U7 U8 U9 U10 U11 U12 U13 U14 U15 U16 U17'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l skip -d 'leave these out, named in the same ways (repeatable)' -xa 'D1 D2 D3 D4 D5 D6 D7 V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15 V16 R1 R2 R3 R4 R5 R6 R7 C1 C2 C3 I1 I2 I3 I4 I5 I6 I7 I8 S1 S2 S3 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 N1 N2 N3 N4 N5 N6 N7 P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P20 P21 P22 P23 RNG1 BLK1 BLK2 BLK3 BLK4 BLK5 BLK6 BLK7 BLK8 BLK9 BLK10 NET1 NET2 NET3 NET4 NET5 NET6 NET7 NET8 NET9 NET10 NET11 NET12 NET13 NET14 CON1 CON2 INP1 U1 U2 U3 U4 U5 U6 U7 U8 U9 U10 U11 U12 U13 U14 U15 U16 U17'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l strict -d 'a SHOULD that is broken is a FAIL, not a WARN'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l list -d 'print the catalogue of statements; needs no device'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l cycles -d 'suspends of the stress check (default: 10)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l seed -d 'start of the stress check\'s random sequence (default: 0)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l budget -d 'how long the judging may take: what is left then is cut, and said (default: as long as it takes)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l jobs -d 'of several devices judge N at a time, each in a process of its own (default: 1)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l timing -d 'say where the time went, scenario by scenario, on standard error'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l require-suspend -d 'a device that does not offer SUSPEND fails: status 1'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l trigger-command -d 'how the host side is asked for something: the shell runs CMD NAME JSON, where NAME is change_config, set_link, send_traffic, delay (JSON {"seconds": S}; null instead of S: as when the device was started) ...' -x
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l interrupts -d 'how the device notifies: intx (with ISR), msix (messages), none (ISR is polled); auto judges by each way that the device has, and for anything else takes intx, or msix where there is none (default: auto)' -xa 'auto intx msix none'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l scratch -d 'sectors (of 512 bytes) of a block device that may be overwritten (default: on somebody\'s disk nothing is written)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l peer -d 'what is at the other end of a network or console device: echo sends everything back (default: what the locator says)' -xa 'echo none'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l pairs -d 'how many queue pairs of a network device carry the traffic (default: all that the device has, up to 4)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l provoke -d 'make a device of this machine fail by a buffer at an address where no memory is (V14); may do harm where the address is not refused (default: only on devices that are emulated)'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l history -d 'write all that was done and seen to FILE, which `uvirtio judge` judges again without the device' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l format -d 'how the result is written (default: as the ending of --output says, json with --json, else rich; repeatable)' -xa 'rich json junit tap markdown html'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l output -s o -d 'where it is written (default: standard output; repeatable)' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from check' -s q -l quiet -d 'say the verdict only, and show no progress'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -s v -l verbose -d 'say everything: each statement\'s remarks, each cycle'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l baseline -d 'an earlier result: status 1 only for what is worse than then, and what is better is told' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l expect -d 'known deviations, a line each (V13 FAIL why): status 1 only for others, and one that does not show any more is told' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from check' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from check' -a '(__uvirtio_functions) (__uvirtio_locators)'
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l force -d 'take a device although something uses it'
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l via -d 'the driver for a device that is named by its address: uio_pci_generic, or vfio-pci, which needs an IOMMU; vfio:00:05.0 says the same (default: uio)' -xa 'uio vfio'
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l trace -d 'write every register access as one JSON line to FILE (- is stderr)' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l without -d 'do not negotiate this feature: a bit number or a name such as RING_PACKED (repeatable)' -xa 'NOTIFY_ON_EMPTY ANY_LAYOUT INDIRECT_DESC EVENT_IDX UNUSED VERSION_1 ACCESS_PLATFORM RING_PACKED IN_ORDER ORDER_PLATFORM SR_IOV NOTIFICATION_DATA NOTIF_CONFIG_DATA RING_RESET ADMIN_VQ SUSPEND'
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l for -d 'how long (default: until --events, or Ctrl-C)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l events -d 'how many events (default: 10 where the host side can be asked for them, else until --for, or Ctrl-C)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l event -d 'one of restore, migrate, snapshot, pause, change_config, reset, replug, d3hot, flr, as far as the bus has it; or any name and what the shell runs for it on this machine (repeatable; default: all that save, move or stop the device)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l seed -d 'start of the random sequence of events (default: 0)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l suspend -d 'suspend the device before each event and resume it after, as a hypervisor would'
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l picture -d 'write the timeline as an SVG' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l dialect -d 'which SUSPEND to use; auto goes by what the device offers and never picks rfc (default: auto)' -xa 'auto 1.4 chromium rfc'
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l timeout -d 'longest time that the device may take for one step (default: 10)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l hold -d 'how long the device stays suspended (default: 0.2)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l interrupts -d 'how the device notifies: intx (with ISR), msix (messages), none (ISR is polled); auto judges by each way that the device has, and for anything else takes intx, or msix where there is none (default: auto)' -xa 'auto intx msix none'
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l scratch -d 'sectors (of 512 bytes) of a block device that may be overwritten (default: on somebody\'s disk nothing is written)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l peer -d 'what is at the other end of a network or console device: echo sends everything back (default: what the locator says)' -xa 'echo none'
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l pairs -d 'how many queue pairs of a network device carry the traffic (default: all that the device has, up to 4)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l history -d 'write all that was done and seen to FILE, which `uvirtio judge` judges again without the device' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from survive' -a '(__uvirtio_functions) (__uvirtio_locators)'
complete -c uvirtio -n '__fish_seen_subcommand_from explain' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from explain'
complete -c uvirtio -n '__fish_seen_subcommand_from judge' -l only -d 'judge these statements only: V1,V4, a whole family such as V, or a chapter: suspend, pci, blk, core ... (repeatable)' -xa 'D1 D2 D3 D4 D5 D6 D7 V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15 V16 R1 R2 R3 R4 R5 R6 R7 C1 C2 C3 I1 I2 I3 I4 I5 I6 I7 I8 S1 S2 S3 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 N1 N2 N3 N4 N5 N6 N7 P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P20 P21 P22 P23 RNG1 BLK1 BLK2 BLK3 BLK4 BLK5 BLK6 BLK7 BLK8 BLK9 BLK10 NET1 NET2 NET3 NET4 NET5 NET6 NET7 NET8 NET9 NET10 NET11 NET12 NET13 NET14 CON1 CON2 INP1 U1 U2 U3 U4 U5 U6 U7 U8 U9 U10 U11 U12 U13 U14 U15 U16 U17'
complete -c uvirtio -n '__fish_seen_subcommand_from judge' -l skip -d 'leave these out, named in the same ways (repeatable)' -xa 'D1 D2 D3 D4 D5 D6 D7 V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15 V16 R1 R2 R3 R4 R5 R6 R7 C1 C2 C3 I1 I2 I3 I4 I5 I6 I7 I8 S1 S2 S3 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 N1 N2 N3 N4 N5 N6 N7 P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P20 P21 P22 P23 RNG1 BLK1 BLK2 BLK3 BLK4 BLK5 BLK6 BLK7 BLK8 BLK9 BLK10 NET1 NET2 NET3 NET4 NET5 NET6 NET7 NET8 NET9 NET10 NET11 NET12 NET13 NET14 CON1 CON2 INP1 U1 U2 U3 U4 U5 U6 U7 U8 U9 U10 U11 U12 U13 U14 U15 U16 U17'
complete -c uvirtio -n '__fish_seen_subcommand_from judge' -l strict -d 'a SHOULD that is broken is a FAIL, not a WARN'
complete -c uvirtio -n '__fish_seen_subcommand_from judge' -l format -d 'how the result is written (default: as the ending of --output says, json with --json, else rich; repeatable)' -xa 'rich json junit tap markdown html'
complete -c uvirtio -n '__fish_seen_subcommand_from judge' -l output -s o -d 'where it is written (default: standard output; repeatable)' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from judge' -s q -l quiet -d 'say the verdict only, and show no progress'
complete -c uvirtio -n '__fish_seen_subcommand_from judge' -s v -l verbose -d 'say everything: each statement\'s remarks, each cycle'
complete -c uvirtio -n '__fish_seen_subcommand_from judge' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from judge'
complete -c uvirtio -n '__fish_seen_subcommand_from report' -l format -d 'how the result is written (default: as the ending of --output says, json with --json, else rich; repeatable)' -xa 'rich json junit tap markdown html'
complete -c uvirtio -n '__fish_seen_subcommand_from report' -l output -s o -d 'where it is written (default: standard output; repeatable)' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from report' -s q -l quiet -d 'say the verdict only, and show no progress'
complete -c uvirtio -n '__fish_seen_subcommand_from report' -s v -l verbose -d 'say everything: each statement\'s remarks, each cycle'
complete -c uvirtio -n '__fish_seen_subcommand_from report' -l baseline -d 'an earlier result: status 1 only for what is worse than then, and what is better is told' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from report' -l expect -d 'known deviations, a line each (V13 FAIL why): status 1 only for others, and one that does not show any more is told' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from report' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from report' -F
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -l socket -d 'where to listen for the vfio-user client' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -l profile -d 'how it suspends: virtio-1.4 (default), rfc, crosvm, slow ...' -xa 'virtio-1.4 rfc crosvm qemu-store qemu-rfc-2025 qemu-rfc-2025-fixed slow refuses refuses-resume stuck stuck-resume'
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -l fault -d 'duties that it breaks, comma-separated: V4, R6, C2 ...' -xa 'V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15 V16 R3 R4 R5 R6 R7 C1 C2 C3 V3-waking V7-lost V7-on-the-way V8-config V8-select V9-queue V12-cleared V12-last V13-silent V15-isr V16-queue S3-features S3-size S3-address N5-asleep B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 B6-used Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 Q1-enabled Q7-second N1 N2 N3 N4 N5 N6 N7 N2-packed N7-never P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P17-next P19 P20 P21 P22 P23 P19-moved P19-reset V3-msix V6-msix V7-msix V12-msix V14-msix C3-msix N1-msix N2-msix N3-msix RNG1 BLK1 BLK2 BLK3 BLK4 BLK5 BLK6 BLK7 BLK8 BLK10 NET1 NET2 NET3 NET4 NET5 NET6 NET7 NET8 NET9 NET10 NET11 NET12 NET13 NET14 CON1 INP1 U1 U2 U3 U3-replay U4 U5 U5-used U5-reset U6 U7 U8 U8-pending U9 U9-config U10 U11 U12 U12-reset U13 U14 U15 U16'
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -l latency -d 'seconds that a request stays in process' -x
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -l delay -d 'seconds that suspend and resume take at least' -x
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -l seed -d 'start of the random sequence' -x
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -l set -d 'any other parameter of emulated:TYPE' -x
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -l control -d 'a socket for triggers, JSON lines' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -l restore -d 'go on with a device that was saved: with the first access of a client that has given its memory' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -l save -d 'where the device is saved when the control socket is asked for `save`; the server ends then' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -l log -d 'every register access and device event, JSON lines' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -l once -d 'end when the first client is gone'
complete -c uvirtio -n '__fish_seen_subcommand_from serve' -a 'rng blk net console balloon input scsi gpu rtc vsock crypto iommu mem sound fs pmem rpmb scmi i2c_adapter can gpio spi media'
complete -c uvirtio -n '__fish_seen_subcommand_from image' -l arch -d 'x86_64 or aarch64 (default: this machine\'s)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from image' -l flavour -d 'Debian\'s kernel for virtual machines, or the one for all machines (default: cloud)' -xa 'cloud generic'
complete -c uvirtio -n '__fish_seen_subcommand_from image' -l suite -d 'where the kernel comes from: trixie, trixie-backports ... (default: this machine\'s release of Debian)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from image' -l no-tui -d 'leave the interactive interface out, and 1 MB with it'
complete -c uvirtio -n '__fish_seen_subcommand_from image' -l output -s o -d 'where it is made (default: uvirtio/image/ARCH in the user\'s cache)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from image' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from image' -a 'build show'
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l vmm -d 'the VMM; those of QEMU ran in our tests, the others are written from their documentation' -xa 'qemu qemu-pc qemu-q35 qemu-microvm qemu-virt cloud-hypervisor firecracker crosvm openvmm bhyve'
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l command -d 'another VMM\'s command line, with {kernel} or {vmlinux}, {initrd}, {cmdline} and, where you like, {memory} (MiB), {cpus}, {name}, {folder}, {more} in it' -x
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l binary -d 'the VMM\'s program (default: that of its name from PATH)' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l arch -d 'x86_64 or aarch64 (default: this machine\'s)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l image -d 'the image (default: where `uvirtio image build` makes it)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l kernel -d 'another kernel; it has to fit the image\'s modules, or have all in it' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l initrd -d 'another initramfs' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l run -d 'what the guest does: \'check --only core\', \'suspend --cycles 20\', \'list\', \'tui\', shell ... for all its devices where none is named; repeatable, each in a VM of its own (default: check)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l jobs -d 'how many VMs at once (default: 1)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l timeout -d 'how long a VM may take; one that hangs is a FAIL (default: 600; for a person in `shell` or `tui` as long as it takes)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l ready -d 'how long a guest may take until it is up (default: 120)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l memory -d 'of the VM (default: 512)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l cpus -d 'of the VM (default: 1)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l accel -d 'QEMU\'s; auto tries KVM where it is there, and says so where it does not run the kernel (default: auto)' -xa 'auto kvm tcg'
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l append -d 'further words for the kernel\'s command line' -x
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l config -d 'Firecracker\'s devices: the JSON of its --config-file' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l event -d 'what the host does when a check in the guest asks for NAME (change_config, set_link ...): the shell runs COMMAND with UVIRTIO_EVENT, UVIRTIO_ARGUMENTS (JSON) and UVIRTIO_VMM_PID (repeatable)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l keep -d 'keep each console and each result there' -x
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l format -d 'how the result is written (default: as the ending of --output says, json with --json, else rich; repeatable)' -xa 'rich json junit tap markdown html'
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l output -s o -d 'where it is written (default: standard output; repeatable)' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -s q -l quiet -d 'say the verdict only, and show no progress'
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -s v -l verbose -d 'say everything: each statement\'s remarks, each cycle'
complete -c uvirtio -n '__fish_seen_subcommand_from boot' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from bench' -l force -d 'take a device although something uses it'
complete -c uvirtio -n '__fish_seen_subcommand_from bench' -l via -d 'the driver for a device that is named by its address: uio_pci_generic, or vfio-pci, which needs an IOMMU; vfio:00:05.0 says the same (default: uio)' -xa 'uio vfio'
complete -c uvirtio -n '__fish_seen_subcommand_from bench' -l without -d 'do not negotiate this feature: a bit number or a name such as RING_PACKED (repeatable)' -xa 'NOTIFY_ON_EMPTY ANY_LAYOUT INDIRECT_DESC EVENT_IDX UNUSED VERSION_1 ACCESS_PLATFORM RING_PACKED IN_ORDER ORDER_PLATFORM SR_IOV NOTIFICATION_DATA NOTIF_CONFIG_DATA RING_RESET ADMIN_VQ SUSPEND'
complete -c uvirtio -n '__fish_seen_subcommand_from bench' -l interrupts -d 'how the device notifies: intx (with ISR), msix (messages), none (ISR is polled); auto judges by each way that the device has, and for anything else takes intx, or msix where there is none (default: auto)' -xa 'auto intx msix none'
complete -c uvirtio -n '__fish_seen_subcommand_from bench' -l seconds -d 'how long each measurement with a device takes (default: 1)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from bench' -l turns -d 'how often everything has its turn; medians are shown (default: 15)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from bench' -l buffers -d 'queue: how many buffers have to pass without the process growing (default: 10000000)' -x
complete -c uvirtio -n '__fish_seen_subcommand_from bench' -l judge -d 'judge the rings and the notifications of the device first: figures of one that breaks a rule say little'
complete -c uvirtio -n '__fish_seen_subcommand_from bench' -l baseline -d 'compare the ratios with those of this earlier --json' -rF
complete -c uvirtio -n '__fish_seen_subcommand_from bench' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from bench' -a 'ring queue poll net blk rng suspend interrupts'
complete -c uvirtio -n '__fish_seen_subcommand_from bench' -a '(__uvirtio_functions) (__uvirtio_locators)'
complete -c uvirtio -n '__fish_seen_subcommand_from doctor' -l json -d 'one JSON document on stdout, nothing else there'
complete -c uvirtio -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'

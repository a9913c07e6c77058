/** Countries whose emergency number the receptionist can tell; the others are told 112, which works in mobile networks everywhere. ISO 3166-1 alpha-2. */
export const COUNTRIES = ('AD AE AL AM AR AT AU AZ BA BE BG BH BO BR BY CA CH CL CN CO CR CU CY CZ DE DK DO DZ EC EE EG ES FI FR GB GE GI GR GT HK HN HR HU ID IE IL IN IS IT JM JO JP KE KR KW KZ LB LI '
  + 'LT LU LV MA MC MD ME MK MT MX MY NG NI NL NO NZ OM PA PE PH PL PR PT PY QA RO RS SA SE SG SI SK SM SV TH TN TR TW UA US UY VA VE VN XK ZA').split(' ');
